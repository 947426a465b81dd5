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
  'LB-P006': {
    name: 'EventsSkipped',
    text: 'output `{output}` lagged too far and skipped {count} events, positions {from} to {to}',
    help: 'They are counted as dropped (`on_lag: skip`). `lag_limit` says how far it may lag.',
  },
  'LB-P007': {
    name: 'LagLimitMissing',
    exit: 78,
    text: '`{key}` is `{action}`, and `lag_limit` does not say from when on',
    help: 'For instance `lag_limit: { size: 1GiB }` or `lag_limit: { age: 1h }`.',
  },
  'LB-P008': {
    name: 'NothingToReplay',
    exit: 1,
    text: 'there is nothing to replay: events are stored from position {first} on and delivered up to {cursor}',
    help: 'Name an earlier time or position. What every output had passed is deleted.',
  },
  'LB-P009': {
    name: 'HandedToSecondary',
    text: 'output `{output}` does not get rid of events and hands them to its secondary `{secondary}`',
    help: 'They are counted as `secondary`. `logboom status` says why its own destination does not take them.',
  },
  'LB-P010': {
    name: 'SecondaryLoop',
    exit: 78,
    text: '`{key}` leads back to its own output: {cycle}',
    help: 'Name one that has no `secondary`, or whose secondaries end elsewhere.',
  },
  'LB-P011': {
    name: 'NoSuchSecondary',
    exit: 78,
    text: '`{key}` names the output `{name}`, which is not there',
    help: 'Add it under `outputs`, or name one of {known}.',
  },
  'LB-P012': {
    name: 'EventsParked',
    text: 'output `{output}` lagged too far and parked {count} events',
    help: 'They are delivered when it keeps up again (`on_lag: park`). `lag_limit` says how far it may lag.',
  },
  'LB-P013': {
    name: 'ParkFull',
    text: 'output `{output}` can park no more events: {reason}',
    help: 'They wait in the buffer instead. `park_limit` says how much may be parked.',
  },
} as const satisfies Record<string, ErrorSpec>
