/** The manifests of `deploy/kubernetes`: whether Kubernetes would take them, and Logboom their configuration. */
import assert from 'node:assert/strict'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type TestContext, test } from 'node:test'
import { parse } from 'yaml'
import { ROOT, runVerb } from '../e2e/program.ts'
import { need } from './launchers/availability.ts'
import { kubernetesValidator } from './launchers/kubernetes-validator.ts'

const FILES = globSync(path.join(ROOT, 'deploy/kubernetes/*.yaml')).sort()
const text = (name: string) => readFileSync(path.join(ROOT, 'deploy/kubernetes', name), 'utf8')

function scratch(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'logboom-kubernetes-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

test('each document is strictly of its kind, and what refers to another finds it', async (t) => {
  const validate = await need(t, kubernetesValidator)
  if (validate !== undefined) assert.deepEqual(await validate(FILES), { documents: 6, faults: [] })
})

/** What is written in place of what, and what must be said of it: else the test above proves nothing. */
const FAULTS = [
  ['statefulset.yaml', 'podManagementPolicy', 'podManagementPolice', /unknown field "podManagementPolice"/],
  ['statefulset.yaml', 'replicas: 2', 'replicas: two', /cannot unmarshal string .*replicas of type int32/],
  ['statefulset.yaml', 'serviceName: logboom-instances', 'serviceName: other', /there is no Service other/],
  ['statefulset.yaml', 'configMap: { name: logboom }', 'configMap: { name: other }', /there is no ConfigMap other/],
  ['statefulset.yaml', '- { name: buffer, mountPath', '- { name: store, mountPath', /there is no volume store/],
  ['statefulset.yaml', 'path: /livez, port: admin', 'path: /livez, port: http', /a probe asks port http/],
  ['statefulset.yaml', 'readOnlyRootFilesystem: true', 'readOnlyRootFilesystem: false', /root file system/],
  ['services.yaml', 'targetPort: heartbeat, protocol: UDP', 'targetPort: heartbeat', /no port heartbeat TCP/],
  ['disruption-budget.yaml', 'matchLabels: { app.kubernetes.io/name: logboom }', 'matchLabels: { a: b }', /no pods/],
  ['network-policy.yaml', 'port: admin', 'port: http', /NetworkPolicy logboom: .* no port http/],
] as const

for (const [name, from, to, said] of FAULTS) {
  test(`${name}: \`${to}\` is found`, async (t) => {
    const validate = await need(t, kubernetesValidator)
    if (validate === undefined) return
    assert.ok(text(name).includes(from), `${from} is not in ${name}`)
    const changed = path.join(scratch(t), name)
    writeFileSync(changed, text(name).replace(from, to))
    const { faults } = await validate([...FILES.filter((file) => path.basename(file) !== name), changed])
    assert.match(faults.join('\n'), said)
  })
}

test('Logboom takes the configuration, and stops before Kubernetes loses its patience', async (t) => {
  const folder = scratch(t)
  const file = path.join(folder, 'logboom.yaml')
  const { data } = parse(text('config.yaml')) as { data: Record<string, string> }
  writeFileSync(file, data['logboom.yaml']!)
  const env = { POD_NAME: 'logboom-1', POD_INDEX: '1', LOGBOOM_ADMIN_TOKEN: 'a-token-of-this-test' }
  const { code, stderr } = await runVerb(folder, ['validate', '-c', file], env)
  assert.equal(code, 0, stderr)
  const { shutdown_limit } = parse(data['logboom.yaml']!) as { shutdown_limit: string }
  const { spec } = parse(text('statefulset.yaml')) as {
    spec: { template: { spec: { terminationGracePeriodSeconds: number } } }
  }
  assert.ok(spec.template.spec.terminationGracePeriodSeconds >= Number.parseInt(shutdown_limit, 10) + 10)
})
