/** Errors of what is asked of an output while it runs: a part of the table in errors.ts, and read through it. */
import type { ErrorSpec } from './errors.ts'

export const DEAD_LETTER_ERRORS = {
  'LB-P001': {
    name: 'NoSuchOutput',
    exit: 64,
    text: 'there is no output `{output}`',
    help: 'Its name is that under `outputs`; there are {known}.',
  },
  'LB-P002': {
    name: 'OutputAway',
    exit: 69,
    text: 'output `{output}` cannot be asked now',
    help: 'It is being started again, or stopped; ask once more in a while. `logboom status` shows how it is.',
  },
  'LB-P003': {
    name: 'ReplayFailed',
    exit: 1,
    text: 'output `{output}` did not take its dead letters: {reason}',
    help: 'They are kept, with their attempts counted. Replay them again when the destination works.',
  },
  'LB-P004': {
    name: 'LettersUnreadable',
    exit: 74,
    text: 'the dead letters cannot be read or changed: {reason}',
    help: 'Look at the disk and at who may read the folder `dead-letters` of the buffer.',
  },
  'LB-P005': {
    name: 'DiscardWhat',
    exit: 64,
    text: 'it was not said which dead letters to discard',
    help: 'Name them with `--cause CAUSE`, or say `--all`.',
  },
} as const satisfies Record<string, ErrorSpec>
