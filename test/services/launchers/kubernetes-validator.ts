/** Reads Kubernetes manifests with Kubernetes' own types (k8s.io/api, strictly), and checks what refers to what. */
import { run } from './docker.ts'
import { buildGo } from './senders.ts'

export interface Validated {
  readonly documents: number
  readonly faults: readonly string[]
}

/** All files together, as `kubectl apply -f` takes them. */
export type Validate = (files: readonly string[]) => Promise<Validated>

/** Throws Unavailable. */
export async function kubernetesValidator(): Promise<Validate> {
  const program = await buildGo('kubernetes-validator')
  return async (files) => {
    const { stdout, stderr } = await run(program, files)
    return { documents: Number(stdout), faults: stderr.split('\n').filter(Boolean) }
  }
}
