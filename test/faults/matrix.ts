/** The faults that `npm run test:faults` makes, and where each is made. `README.md` says how. */

export interface Fault {
  /** `F1` to `F44`, and `model`. */
  readonly fault: string
  readonly title: string
  readonly files: readonly string[]
}

const faults = (name: string) => [`test/faults/${name}.test.ts`]
const buffer = (name: string) => [`test/buffer/${name}.test.ts`]

export const MATRIX: readonly Fault[] = [
  { fault: 'model', title: 'random work on a disk in memory', files: buffer('durability') },
  { fault: 'F1', title: 'kill -9 at random moments', files: faults('kill') },
  { fault: 'F2', title: 'kill -9 at every system call, recovery included', files: faults('kill-at-calls') },
  { fault: 'F3', title: 'power cut at random moments', files: faults('power-cut') },
  { fault: 'F4', title: 'power cut in each crash window', files: faults('power-cut') },
  { fault: 'F5', title: 'fdatasync fails once', files: faults('disk') },
  { fault: 'F6', title: 'device fails at writeback', files: faults('disk') },
  { fault: 'F7', title: 'fdatasync takes two seconds', files: faults('disk') },
  { fault: 'F8', title: 'order of the system calls', files: faults('sync-order') },
  { fault: 'F9', title: 'disk full, then room again', files: faults('disk') },
  { fault: 'F10', title: 'writes refused or cut short', files: faults('disk') },
  { fault: 'F11', title: 'buffer read-only', files: faults('disk') },
  { fault: 'F12', title: 'a bit flipped at any byte', files: buffer('rot') },
  { fault: 'F13', title: 'truncated at any length, garbage behind', files: buffer('rot') },
  { fault: 'F14', title: 'cursors lost, damaged, old', files: faults('formats') },
  { fault: 'F15', title: 'a buffer of a later version', files: faults('formats') },
  { fault: 'F16', title: 'two processes, one buffer', files: faults('process') },
  { fault: 'F17', title: 'out of memory', files: faults('process') },
  { fault: 'F18', title: 'all outputs down until the buffer is full', files: faults('outputs') },
  { fault: 'F19', title: 'an output that never answers', files: faults('outputs') },
  { fault: 'F20', title: 'every answer a destination can give', files: faults('answers') },
  { fault: 'F21', title: 'answers lost after the commit', files: faults('answers') },
  { fault: 'F22', title: 'an output of 10 KB/s, and a closed window', files: faults('outputs') },
  { fault: 'F25', title: 'a certificate expired, of another host, renewed', files: faults('answers') },
  { fault: 'F26', title: 'partitions, one-way and whole', files: faults('network/partition') },
  { fault: 'F27', title: 'acks lost', files: faults('network/partition') },
  { fault: 'F28', title: 'primary stopped, then going on', files: faults('network/partition') },
  { fault: 'F29', title: 'a way that comes and goes', files: faults('network/partition') },
  { fault: 'F30', title: 'peers that vanish', files: faults('network/lossy') },
  { fault: 'F31', title: 'loss, reorder, duplicates, delay, 64 kbit/s', files: faults('network/lossy') },
  { fault: 'F41', title: 'a poison event in the middle of a chunk', files: faults('answers') },
  { fault: 'F42', title: 'TERM, TERM twice, reload, restart pair', files: faults('process') },
  { fault: 'F43', title: 'uncaught exceptions and rejections', files: faults('process') },
  { fault: 'F44', title: 'soak with random faults', files: faults('soak') },
]
