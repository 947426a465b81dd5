import { openReader } from '../../buffer/reader.ts'
import { bufferConformance } from '../conformance/buffer.ts'
import { openBuffer, temporaryFolder } from './harness.ts'

bufferConformance('file', async () => {
  const folder = temporaryFolder()
  return {
    open: (options) => openBuffer(folder.path, options),
    openReader,
    dispose: async () => folder[Symbol.dispose](),
  }
})
