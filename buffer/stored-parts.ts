/** The chunk files as a reader may ask of them: where each begins, how large it is, since when it is written. */
import path from 'node:path'
import type { StoredPart } from './buffer.ts'
import { CHUNK_HEADER_BYTES, chunkFileName, decodeChunkHeader, firstOfChunkFile } from './chunk-format.ts'
import { type FileSystem, readDespiteErrors } from './file-system.ts'

/** Oldest first. A file that is deleted meanwhile is left out; one without a header goes with the part before it. */
export async function storedParts(files: FileSystem, directory: string): Promise<StoredPart[]> {
  const firsts = (await files.list(directory)).map(firstOfChunkFile).filter((first) => first !== undefined)
  const parts: StoredPart[] = []
  for (const first of firsts) {
    const part = await readPart(files, path.join(directory, chunkFileName(first)), first)
    if (part !== undefined) parts.push(part)
  }
  return parts
}

async function readPart(files: FileSystem, name: string, first: number): Promise<StoredPart | undefined> {
  try {
    const file = await files.open(name, 'read')
    try {
      const bytes = Buffer.alloc(CHUNK_HEADER_BYTES)
      await readDespiteErrors(file, bytes, 0)
      const header = decodeChunkHeader(bytes)
      return header && { from: first, bytes: await file.size(), createdMs: header.createdMs }
    } finally {
      await file.close()
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
