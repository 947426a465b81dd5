/** Every key of the configuration as Markdown, made of the same declarations as everything else. */
import { OUTPUTS } from '../../outputs/registry.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import type { Described, Field, Fields } from '../core/fields.ts'
import { loadOutput, loadProtocol } from './components.ts'
import { alternatives, expectation } from './describe-field.ts'
import { mayBeLeftOut } from './field-schema.ts'
import { keyName } from './raw-values.ts'
import { INPUT_FIELDS, OUTPUT_FIELDS, SECTIONS } from './sections.ts'

/** The same every time; ends with a newline. */
export async function configReference({ protocols = PROTOCOLS, outputs = OUTPUTS } = {}): Promise<string> {
  const inputs = await Promise.all(Object.values(protocols).map(loadProtocol))
  const destinations = await Promise.all(Object.values(outputs).map(loadOutput))
  const parts = [
    '# Configuration',
    `One YAML file. \`\${VAR}\` and \`\${VAR:-default}\` stand for environment variables; \`$$\` is a dollar.`,
    table(SECTIONS, []),
    '## Inputs',
    'Each key of `inputs` names an input; every input takes:',
    table(INPUT_FIELDS, []),
    ...inputs.flatMap((input) => component(input, 'inputs')),
    '## Outputs',
    'Each key of `outputs` names an output; every output takes:',
    table(OUTPUT_FIELDS, []),
    ...destinations.flatMap((output) => component(output, 'outputs')),
  ]
  return `${parts.join('\n\n')}\n`
}

function component({ name, summary, fields, example }: Described<Fields>, section: string): string[] {
  const indented = example.trimEnd().replace(/^(?=.)/gm, '  ')
  return [`### ${name}`, summary, `\`\`\`yaml\n${section}:\n${indented}\n\`\`\``, table(fields, [])]
}

function table(fields: Fields, path: readonly string[]): string {
  const rows = rowsOf(fields, path)
  if (rows.length === 0) return 'No keys of its own.'
  return ['| key | value | default | |', '|---|---|---|---|', ...rows].join('\n')
}

function rowsOf(fields: Fields, path: readonly string[]): string[] {
  return Object.entries(fields).flatMap(([name, field]) => {
    const at = [...path, field.kind === 'groups' ? `${name}[]` : name]
    if ('fields' in field) return rowsOf(field.fields, at)
    const key = `\`${keyName(at)}\``
    return [row(key, expectation(field), defaultOf(field), field.doc)]
  })
}

function defaultOf(field: Field): string {
  if ('default' in field && field.default !== undefined) {
    return typeof field.default === 'object' ? alternatives(field.default) : `\`${field.default}\``
  }
  return mayBeLeftOut(field) ? '' : 'required'
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
