/**
 * The record of one event, changed key by key: what no filter touches keeps its bytes, so that times, integers of 64
 * bits, invalid UTF-8 and odd keys stay exactly as they came. Keys that come twice: the last one counts, as in JSON.
 */
import { readContainerHeader, readStringHeader, skipTrusted } from '../../core/msgpack.ts'
import type { EntryBytes } from './entry-bytes.ts'
import { createEntryBytes } from './entry-bytes.ts'
import { type FieldName, type FieldPath, isSame, valueInMap } from './field-path.ts'

/** One key and its value: places in the record's bytes, or bytes that took their place. Used again. */
interface Slot {
  /** Where the key begins, header and all; its body; its value; and where that ends. */
  at: number
  keyStart: number
  keyEnd: number
  valueAt: number
  end: number
  name: FieldName | undefined
  value: Uint8Array | undefined
  isGone: boolean
}

const head = { start: 0, end: 0 }
const key = { start: 0, end: 0 }

function emptySlot(): Slot {
  return { at: 0, keyStart: 0, keyEnd: 0, valueAt: 0, end: 0, name: undefined, value: undefined, isGone: false }
}

export class EventRecord {
  /** Whether it differs from what was loaded. */
  isChanged = false
  #bytes: Uint8Array = new Uint8Array(0)
  #start = 0
  #end = 0
  /** Slots in use; -1: the record was not looked at yet. */
  #count = -1
  readonly #slots: Slot[] = []

  /** Points it at the packed map between `start` and `end`, which was checked when it came in. */
  load(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#count = -1
    this.isChanged = false
  }

  /** The packed value at a path; undefined when there is none. A view, valid while the record is. */
  get(path: FieldPath): Uint8Array | undefined {
    const index = this.#find(path[0])
    let value = index === -1 ? undefined : this.#value(index)
    for (let i = 1; i < path.length && value !== undefined; i++) value = valueInMap(value, path[i]!)
    return value
  }

  /** Puts a packed value at a path, in the place of the key or at the end; maps on the way are made. */
  set([first, ...within]: FieldPath, value: Uint8Array): void {
    const [second, ...rest] = within
    const packed =
      second === undefined ? value : changedMap(this.get([first]), (map) => map.set([second, ...rest], value))
    const found = this.#find(first)
    this.isChanged = true
    if (found !== -1) {
      this.#slots[found]!.value = packed
      this.#forgetBefore(found, first)
      return
    }
    const slot = this.#add()
    slot.name = first
    slot.value = packed
  }

  /** Takes the key away, however often it is there. */
  remove([first, ...within]: FieldPath): void {
    const found = this.#find(first)
    const [second, ...rest] = within
    if (found === -1) return
    if (second !== undefined) {
      if (this.get([first, second, ...rest]) === undefined) return
      this.set(
        [first],
        changedMap(this.#value(found), (map) => map.remove([second, ...rest])),
      )
      return
    }
    this.isChanged = true
    this.#slots[found]!.isGone = true
    this.#forgetBefore(found, first)
  }

  /** The key stays where it stands; another one with the new name goes. */
  rename(from: FieldName, to: FieldName): void {
    if (from.text === to.text || this.#find(from) === -1) return
    this.remove([to])
    const found = this.#find(from)
    this.#forgetBefore(found, from)
    this.#slots[found]!.name = to
    this.isChanged = true
  }

  /** Takes away every key but these. */
  keep(names: readonly FieldName[]): void {
    this.#read()
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[i]!
      if (slot.isGone || names.some((name) => this.#isNamed(slot, name))) continue
      slot.isGone = true
      this.isChanged = true
    }
  }

  /** Calls back with each value and what changes it; for filters that look at all of them. */
  visit(see: (value: Uint8Array, replace: (value: Uint8Array) => void) => void): void {
    this.#read()
    for (let i = 0; i < this.#count; i++) {
      const slot = this.#slots[i]!
      if (slot.isGone) continue
      see(this.#value(i), (value) => {
        slot.value = value
        this.isChanged = true
      })
    }
  }

  /** Writes the map. */
  write(out: EntryBytes): void {
    if (!this.isChanged) {
      out.copy(this.#bytes, this.#start, this.#end)
      return
    }
    let count = 0
    for (let i = 0; i < this.#count; i++) if (!this.#slots[i]!.isGone) count++
    out.mapHead(count)
    for (let i = 0; i < this.#count; i++) {
      const { isGone, name, value, at, valueAt, end } = this.#slots[i]!
      if (isGone) continue
      if (name === undefined) out.copy(this.#bytes, at, valueAt)
      else out.copy(name.packed, 0, name.packed.length)
      if (value === undefined) out.copy(this.#bytes, valueAt, end)
      else out.copy(value, 0, value.length)
    }
  }

  /** The map as bytes of its own. */
  pack(): Uint8Array {
    const out = createEntryBytes(this.#end - this.#start + 64)
    this.write(out)
    return out.taken()
  }

  #read(): void {
    if (this.#count !== -1) return
    this.#count = 0
    const bytes = this.#bytes
    const end = this.#end
    readContainerHeader(bytes, this.#start, end, 'map', head)
    let at = head.start
    for (let left = head.end; left > 0; left--) {
      const slot = this.#add()
      slot.at = at
      const isString = readStringHeader(bytes, at, end, key)
      slot.keyStart = isString ? key.start : 0
      slot.keyEnd = isString ? key.end : -1
      slot.valueAt = skipTrusted(bytes, at, end)
      slot.end = skipTrusted(bytes, slot.valueAt, end)
      at = slot.end
    }
  }

  #add(): Slot {
    const slot = (this.#slots[this.#count] ??= emptySlot())
    slot.name = undefined
    slot.value = undefined
    slot.isGone = false
    this.#count++
    return slot
  }

  /** Index of the last slot with the name; -1: none. */
  #find(name: FieldName): number {
    this.#read()
    for (let i = this.#count - 1; i >= 0; i--)
      if (!this.#slots[i]!.isGone && this.#isNamed(this.#slots[i]!, name)) return i
    return -1
  }

  #isNamed(slot: Slot, name: FieldName): boolean {
    if (slot.name !== undefined) return slot.name.text === name.text
    return isSame(this.#bytes, slot.keyStart, slot.keyEnd, name.bytes)
  }

  #value(index: number): Uint8Array {
    const { value, valueAt, end } = this.#slots[index]!
    return value ?? this.#bytes.subarray(valueAt, end)
  }

  /** The same key before the one that counts. */
  #forgetBefore(index: number, name: FieldName): void {
    for (let i = 0; i < index; i++) if (this.#isNamed(this.#slots[i]!, name)) this.#slots[i]!.isGone = true
  }
}

const EMPTY_MAP = Uint8Array.of(0x80)

/** A packed map with a change; a value that is no map gives way to one. */
function changedMap(value: Uint8Array | undefined, change: (map: EventRecord) => void): Uint8Array {
  const isMap = value !== undefined && value.length > 0 && readContainerHeader(value, 0, value.length, 'map', head)
  const bytes = isMap ? value : EMPTY_MAP
  const map = new EventRecord()
  map.load(bytes, 0, bytes.length)
  change(map)
  return map.pack()
}
