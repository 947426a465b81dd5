/**
 * Faults that some machines cannot make. A fault that is listed here is skipped by name, in CI too; one that is not
 * listed fails there when the machine lacks what it needs.
 */
export const ABSENT: Readonly<Record<string, string>> = {
  F17: 'needs a memory cgroup that root may write; containers without one get this line instead',
  packets: 'need root with NET_ADMIN, and /dev/net/tun; without them F26 to F31 are made by a proxy, and say so',
}
