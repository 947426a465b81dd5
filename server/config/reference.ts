/** Every key of the configuration as Markdown, made of the same declarations as everything else. */
import { OUTPUTS } from '../../outputs/registry.ts'
import { PROTOCOLS } from '../../protocols/registry.ts'
import type { Described, Field, Fields } from '../core/fields.ts'
import type { Filter } from '../delivery/filters/filter.ts'
import { ERROR_FIELD } from '../delivery/filters/filter-event.ts'
import { loadOutput, loadProtocol } from './components.ts'
import { alternatives, expectation } from './describe-field.ts'
import { mayBeLeftOut } from './field-schema.ts'
import { loadFilters } from './filters.ts'
import { keyName } from './raw-values.ts'
import { FILTER_FIELDS, INPUT_FIELDS, OUTPUT_FIELDS, SECTIONS } from './sections.ts'

/** The same every time; ends with a newline. */
export async function configReference({ protocols = PROTOCOLS, outputs = OUTPUTS } = {}): Promise<string> {
  const inputs = await Promise.all(Object.values(protocols).map(loadProtocol))
  const destinations = await Promise.all(Object.values(outputs).map(loadOutput))
  const filters = [...(await loadFilters()).values()]
  const parts = [
    '# Configuration',
    `One YAML file. \`\${VAR}\` and \`\${VAR:-default}\` stand for environment variables; \`$$\` is a dollar.`,
    table(SECTIONS, []),
    '## Inputs',
    'Each key of `inputs` names an input; every input takes:',
    table(INPUT_FIELDS, []),
    ...inputs.flatMap((input) => component(input, 'inputs')),
    '## Filters',
    FILTERS_TEXT,
    table(FILTER_FIELDS, []),
    ...filters.flatMap((filter) => action(filter)),
    TESTS_TEXT,
    '## Outputs',
    'Each key of `outputs` names an output; every output takes:',
    table(OUTPUT_FIELDS, []),
    ...destinations.flatMap((output) => component(output, 'outputs')),
  ]
  return `${parts.join('\n\n')}\n`
}

const FILTERS_TEXT = `\`filters\` is a list. Its filters run in its order on the way out, in the thread of each output,
between the buffer and the destination; each has a \`match\` and one action. An output's own \`match\` is asked before,
of the tag as it was received; \`rewrite_tag\` changes the tag that the filters after it match and that the destination
gets. Events that no filter matches are not looked at. What a filter drops is counted (\`result="dropped"\`), and so is
what it makes part of another event (\`result="joined"\`). What a filter cannot do leaves the event as it was, with the
reason in its key \`${ERROR_FIELD}\`, and is counted in \`logboom_filter_errors_total\`. A field is named by its key, or
by \`$.a.b\` within maps. Patterns are RE2's, which cannot hang; a text of more than 1 MiB is not looked at.`

const TESTS_TEXT = `### Tests

\`tests\` is a list of cases that \`logboom test\` runs through the filters. \`input\` and \`expect\` are an event or a
list of them; what still waits to be joined comes out at the end.

\`\`\`yaml
tests:
  - name: health checks are dropped
    input: { tag: docker.web, record: { log: "GET /health 200" } }
    dropped: true
  - name: the level is read
    input: { tag: docker.app, record: { log: "level=info msg=hello" } }
    expect: { record: { log: "level=info msg=hello", level: info, msg: hello } }
\`\`\``

function action({ name, summary, fields, example }: Filter<Fields>): string[] {
  return [...component({ name, summary, fields: {}, example }, 'filters').slice(0, -1), table(fields, [])]
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
    if (Array.isArray(field.default)) return alternatives(field.default) || 'none'
    return typeof field.default === 'object' ? 'none' : shownDefault(field.default)
  }
  return mayBeLeftOut(field) ? '' : 'required'
}

/** A line feed would break the table. */
function shownDefault(value: string | number | boolean): string {
  return `\`${String(value).replaceAll('\n', '\\n')}\``
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
}
