/** The assembler: what it makes runs as it says, and what it does not know it refuses by name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from '../../../outputs/encoding/assemble.ts'

type Functions = Record<string, (...args: number[]) => number>

function run(text: string): Functions {
  return new WebAssembly.Instance(new WebAssembly.Module(assemble(text))).exports as unknown as Functions
}

test('the smallest module is the bytes that the specification says', () => {
  const bytes = assemble('(module (func $three (export "three") (result i32) (i32.const 3)))')
  const expected = '0061736d01000000 0105 01 60 00 01 7f 0302 01 00 0709 01 05 7468726565 00 00 0a06 01 04 00 41 03 0b'
  assert.equal(Buffer.from(bytes).toString('hex'), expected.replaceAll(' ', ''))
})

test('parameters, locals, blocks, loops and branches by name', () => {
  const { sum } = run(`(module ;; adds 1 to $n
    (func $sum (export "sum") (param $n i32) (result i32) (local $sum i32)
      (block $done
        (loop $next
          (br_if $done (i32.eqz (local.get $n)))
          (local.set $sum (i32.add (local.get $sum) (local.get $n)))
          (local.set $n (i32.sub (local.get $n) (i32.const 1)))
          (br $next)))
      (local.get $sum)))`)
  assert.equal(sum!(100), 5_050)
})

test('both ways of an if, and a call of what stands below', () => {
  const { f } = run(`(module
    (func $f (export "f") (param $x i32) (result i32)
      (if (i32.ge_u (local.get $x) (i32.const 0x80000000))
        (then (return (call $g (local.get $x))))
        (else (return (i32.const 1))))
      (i32.const 2))
    (func $g (param $x i32) (result i32) (i32.mul (local.get $x) (i32.const -1000))))`)
  assert.deepEqual([f!(-7), f!(7)], [7_000, 1])
})

test('constants of every width', () => {
  for (const number of [0, 63, 64, -64, -65, 127, 128, 8_191, 8_192, -8_193, 2 ** 31 - 1, -(2 ** 31)]) {
    assert.equal(run(`(module (func $f (export "f") (result i32) (i32.const ${number})))`).f!(), number)
  }
  assert.equal(run('(module (func $f (export "f") (result i32) (i32.const 0xffffffff)))').f!(), -1)
})

test('memory and globals', () => {
  const { f, memory, at } = run(`(module
    (memory (export "memory") 1)
    (global $at (export "at") (mut i32) (i32.const 5))
    (func $f (export "f") (result i32)
      (i32.store16 offset=300 (global.get $at) (i32.const 0x0102))
      (global.set $at (i32.const 9))
      (i32.load8_u offset=301 (i32.const 5))))`) as unknown as Functions & Record<string, unknown>
  assert.equal(f!(), 1)
  assert.equal((memory as unknown as WebAssembly.Memory).buffer.byteLength, 65_536)
  assert.equal((at as unknown as WebAssembly.Global).value, 9)
})

for (const [text, words] of [
  ['(module (func $f (i32.popcnt (i32.const 1))))', /no instruction i32\.popcnt/],
  ['(module (func $f (local.get $x)))', /nothing is called \$x/],
  ['(module (func $f (br $x)))', /nothing is called \$x/],
  ['(module (func $f (call $g)))', /nothing is called \$g/],
  ['(module (func $f (param $a f32)))', /no type f32/],
] as const) {
  test(`refuses ${text}`, () => {
    assert.throws(() => assemble(text), words)
  })
}
