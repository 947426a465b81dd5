;; Events into lines of a bulk body, for the shapes that nearly all events have: EventTime, maps with short names,
;; text, integers, booleans, nil, and arrays and maps of them. At the first event that is otherwise (a float, bin,
;; broken UTF-8, a key of ours, another second than is prepared, cut at the end, no room) it stops before that event,
;; and bulk-body.ts writes it. What both write is the same, byte for byte: see test/outputs/elasticsearch.
;;
;; Memory, as plain-events.ts lays it out:
;;      0  128  the letter after the backslash by byte; 0: \u00xx     1,536  64  `,"@timestamp":"2026-11-20T12:00:00.`
;;    128  200  `00` to `99`                                          1,600   …  `Z","tag":"…","sequence":`
;;    328   16  hexadecimal digits                                   16,384   …  the entries, back to back
;;    512    …  `{"create":{"_index":"…","_id":"….`                   98,304   …  the lines, up to 262,144
;;
;; Every value is written with a comma behind it, and whoever closes a container takes the last one back.
(module
  (memory (export "memory") 4)
  ;; Where the next byte is read and written; on return: behind the last event that was written.
  (global $pos (export "pos") (mut i32) (i32.const 0))
  (global $at (export "at") (mut i32) (i32.const 0))
  (global $end (mut i32) (i32.const 0))

  ;; Writes up to $left events, as long as fewer than up to $stop is written. Returns how many.
  (func $events (export "events")
    (param $from i32) (param $until i32) (param $to i32) (param $stop i32)
    (param $left i32) (param $seconds i32) (param $firstIndex f64) (param $firstSequence f64) (param $firstStep f64)
    (param $actionLength i32) (param $tailLength i32)
    (result i32)
    (local $index i64) (local $sequence i64) (local $step i64) (local $open i32) (local $pos i32) (local $at i32)
    (local $nanoseconds i32) (local $count i32) (local $written i32)
    (global.set $end (local.get $until))
    (local.set $index (i64.trunc_f64_u (local.get $firstIndex)))
    (local.set $sequence (i64.trunc_f64_u (local.get $firstSequence)))
    (local.set $step (i64.trunc_f64_u (local.get $firstStep)))
    (local.set $pos (local.get $from))
    (local.set $at (local.get $to))
    (block $stopped
      (loop $next
        (br_if $stopped (i32.eqz (local.get $left)))
        (br_if $stopped (i32.ge_u (local.get $at) (local.get $stop)))
        ;; 0x92, d7 00, seconds, nanoseconds, and the first byte of a map
        (br_if $stopped (i32.gt_u (i32.add (local.get $pos) (i32.const 12)) (local.get $until)))
        (br_if $stopped (i32.ne (i32.load8_u (local.get $pos)) (i32.const 0x92)))
        (br_if $stopped (i32.ne (i32.load16_u offset=1 (local.get $pos)) (i32.const 0x00d7)))
        (br_if $stopped (i32.ne (call $big32 (i32.add (local.get $pos) (i32.const 3))) (local.get $seconds)))
        (local.set $nanoseconds (call $big32 (i32.add (local.get $pos) (i32.const 7))))
        (br_if $stopped (i32.ge_u (local.get $nanoseconds) (i32.const 1000000000)))
        (local.set $count (i32.sub (i32.load8_u offset=11 (local.get $pos)) (i32.const 0x80)))
        (br_if $stopped (i32.ge_u (local.get $count) (i32.const 16)))
        (br_if $stopped (call $full (i32.add (local.get $at) (local.get $actionLength))))

        (local.set $open (call $copy (i32.const 512) (local.get $actionLength) (local.get $at)))
        (local.set $open (call $decimal (local.get $index) (local.get $open)))
        (i32.store (local.get $open) (i32.const 0x0a7d7d22)) ;; `"}}` and a newline
        (local.set $open (i32.add (local.get $open) (i32.const 4)))
        (global.set $pos (i32.add (local.get $pos) (i32.const 12)))
        (global.set $at (i32.add (local.get $open) (i32.const 1)))
        (br_if $stopped (i32.eqz (call $pairs (local.get $count) (i32.const 1))))
        (br_if $stopped (call $full (i32.add (global.get $at) (local.get $tailLength))))
        ;; It begins with a comma, which takes the place of the last one, or of the brace of an empty map.
        (local.set $at (call $copy (i32.const 1536) (i32.const 35) (i32.sub (global.get $at) (i32.const 1))))
        (call $nine (local.get $nanoseconds) (local.get $at))
        (local.set $at (call $copy (i32.const 1600) (local.get $tailLength) (i32.add (local.get $at) (i32.const 9))))
        (local.set $at (call $decimal (local.get $sequence) (local.get $at)))
        (i32.store16 (local.get $at) (i32.const 0x0a7d)) ;; `}` and a newline
        (i32.store8 (local.get $open) (i32.const 0x7b))

        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $pos (global.get $pos))
        (local.set $sequence (i64.add (local.get $sequence) (local.get $step)))
        (local.set $index (i64.add (local.get $index) (i64.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $written (i32.add (local.get $written) (i32.const 1)))
        (br $next)))
    (global.set $pos (local.get $pos))
    (global.set $at (local.get $at))
    (local.get $written))

  ;; Pairs of a map, from $pos on. 0: something in them is not for us.
  (func $pairs (param $count i32) (param $depth i32) (result i32) (local $pos i32) (local $length i32)
    (loop $next
      (if (i32.eqz (local.get $count)) (then (return (i32.const 1))))
      (local.set $pos (global.get $pos))
      (local.set $length (i32.sub (i32.load8_u (local.get $pos)) (i32.const 0xa0)))
      (if (i32.ge_u (local.get $length) (i32.const 32)) (then (return (i32.const 0))))
      (if (i32.eq (local.get $depth) (i32.const 1))
        (then (if (call $isOurs (i32.add (local.get $pos) (i32.const 1)) (local.get $length))
          (then (return (i32.const 0))))))
      (if (i32.eqz (call $string (i32.add (local.get $pos) (i32.const 1)) (local.get $length) (i32.const 0x3a22)))
        (then (return (i32.const 0))))
      (if (i32.eqz (call $value (local.get $depth))) (then (return (i32.const 0))))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next))
    (i32.const 0))

  ;; Whether a key is `tag`, `sequence` or `@timestamp`: the record's own wins over ours.
  (func $isOurs (param $key i32) (param $length i32) (result i32)
    (if (i32.eq (local.get $length) (i32.const 3))
      (then (return (i32.eq (i32.and (i32.load (local.get $key)) (i32.const 0xffffff)) (i32.const 0x676174)))))
    (if (i32.eq (local.get $length) (i32.const 8))
      (then (return (i32.eq (i32.load (local.get $key)) (i32.const 0x75716573))))) ;; `sequ…`
    (if (i32.eq (local.get $length) (i32.const 10))
      (then (return (i32.eq (i32.load (local.get $key)) (i32.const 0x6d697440))))) ;; `@tim…`
    (i32.const 0))

  ;; One value and a comma, from $pos on. 0: it is not for us.
  (func $value (param $depth i32) (result i32) (local $pos i32) (local $first i32)
    (local.set $pos (global.get $pos))
    (if (call $full (global.get $at)) (then (return (i32.const 0))))
    (local.set $first (i32.load8_u (local.get $pos)))
    (if (i32.lt_u (i32.sub (local.get $first) (i32.const 0xa0)) (i32.const 32))
      (then (return (call $string (i32.add (local.get $pos) (i32.const 1))
        (i32.sub (local.get $first) (i32.const 0xa0)) (i32.const 0x2c22)))))
    (if (i32.eq (local.get $first) (i32.const 0xd9))
      (then (return (call $string (i32.add (local.get $pos) (i32.const 2))
        (i32.load8_u offset=1 (local.get $pos)) (i32.const 0x2c22)))))
    (if (i32.eq (local.get $first) (i32.const 0xda))
      (then (return (call $string (i32.add (local.get $pos) (i32.const 3))
        (call $big16 (i32.add (local.get $pos) (i32.const 1))) (i32.const 0x2c22)))))
    (if (i32.lt_u (local.get $first) (i32.const 0x80))
      (then (return (call $integer (i64.extend_i32_u (local.get $first)) (i32.const 1)))))
    (if (i32.lt_u (local.get $first) (i32.const 0xa0))
      (then (return (call $container (local.get $first) (local.get $depth)))))
    (if (i32.ge_u (local.get $first) (i32.const 0xe0))
      (then (return (call $integer (i64.extend_i32_s (i32.sub (local.get $first) (i32.const 256))) (i32.const 1)))))
    (if (i32.eq (local.get $first) (i32.const 0xcc))
      (then (return (call $integer (i64.extend_i32_u (i32.load8_u offset=1 (local.get $pos))) (i32.const 2)))))
    (if (i32.eq (local.get $first) (i32.const 0xcd))
      (then (return (call $integer
        (i64.extend_i32_u (call $big16 (i32.add (local.get $pos) (i32.const 1)))) (i32.const 3)))))
    (if (i32.eq (local.get $first) (i32.const 0xce))
      (then (return (call $integer
        (i64.extend_i32_u (call $big32 (i32.add (local.get $pos) (i32.const 1)))) (i32.const 5)))))
    (if (i32.eq (local.get $first) (i32.const 0xd0))
      (then (return (call $integer (i64.extend_i32_s (i32.load8_s offset=1 (local.get $pos))) (i32.const 2)))))
    (if (i32.eq (local.get $first) (i32.const 0xd1))
      (then (return (call $integer
        (i64.extend_i32_s (i32.extend16_s (call $big16 (i32.add (local.get $pos) (i32.const 1))))) (i32.const 3)))))
    (if (i32.eq (local.get $first) (i32.const 0xd2))
      (then (return (call $integer
        (i64.extend_i32_s (call $big32 (i32.add (local.get $pos) (i32.const 1)))) (i32.const 5)))))
    (if (i32.eq (local.get $first) (i32.const 0xcf))
      (then
        (if (i64.lt_s (call $big64 (i32.add (local.get $pos) (i32.const 1))) (i64.const 0))
          (then (return (i32.const 0))))
        (return (call $integer (call $big64 (i32.add (local.get $pos) (i32.const 1))) (i32.const 9)))))
    (if (i32.eq (local.get $first) (i32.const 0xd3))
      (then (return (call $integer (call $big64 (i32.add (local.get $pos) (i32.const 1))) (i32.const 9)))))
    (if (i32.eq (local.get $first) (i32.const 0xc0)) (then (return (call $word (i32.const 0x6c6c756e) (i32.const 4)))))
    (if (i32.eq (local.get $first) (i32.const 0xc3)) (then (return (call $word (i32.const 0x65757274) (i32.const 4)))))
    (if (i32.eq (local.get $first) (i32.const 0xc2))
      (then
        (drop (call $word (i32.const 0x736c6166) (i32.const 4))) ;; `fals`
        (global.set $at (i32.sub (global.get $at) (i32.const 1)))
        (global.set $pos (local.get $pos))
        (return (call $word (i32.const 0x65) (i32.const 1)))))
    (i32.const 0))

  ;; A short array or map.
  (func $container (param $first i32) (param $depth i32) (result i32) (local $isArray i32) (local $count i32)
    (local.set $isArray (i32.ge_u (local.get $first) (i32.const 0x90)))
    (local.set $count (i32.and (local.get $first) (i32.const 15)))
    (if (i32.ge_u (local.get $depth) (i32.const 32)) (then (return (i32.const 0))))
    (global.set $pos (i32.add (global.get $pos) (i32.const 1)))
    (i32.store8 (global.get $at) (select (i32.const 0x5b) (i32.const 0x7b) (local.get $isArray)))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (if (local.get $isArray)
      (then (if (i32.eqz (call $items (local.get $count) (local.get $depth))) (then (return (i32.const 0)))))
      (else (if (i32.eqz (call $pairs (local.get $count) (i32.add (local.get $depth) (i32.const 1))))
        (then (return (i32.const 0))))))
    (if (local.get $count) (then (global.set $at (i32.sub (global.get $at) (i32.const 1)))))
    (i32.store16 (global.get $at) (select (i32.const 0x2c5d) (i32.const 0x2c7d) (local.get $isArray)))
    (global.set $at (i32.add (global.get $at) (i32.const 2)))
    (i32.const 1))

  (func $items (param $count i32) (param $depth i32) (result i32)
    (loop $next
      (if (i32.eqz (local.get $count)) (then (return (i32.const 1))))
      (if (i32.eqz (call $value (i32.add (local.get $depth) (i32.const 1)))) (then (return (i32.const 0))))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $next))
    (i32.const 0))

  ;; Steps over $size bytes of the value. 0: they are not all there.
  (func $step (param $size i32) (result i32)
    (global.set $pos (i32.add (global.get $pos) (local.get $size)))
    (i32.le_u (global.get $pos) (global.get $end)))

  ;; A number, and a comma; it stood in $size bytes.
  (func $integer (param $number i64) (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $at))
    (if (i64.lt_s (local.get $number) (i64.const 0))
      (then
        (i32.store8 (local.get $at) (i32.const 0x2d))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $number (i64.sub (i64.const 0) (local.get $number)))))
    (local.set $at (call $decimal (local.get $number) (local.get $at)))
    (i32.store8 (local.get $at) (i32.const 0x2c))
    (global.set $at (i32.add (local.get $at) (i32.const 1)))
    (call $step (local.get $size)))

  ;; Up to four letters, and a comma; they stood in one byte.
  (func $word (param $letters i32) (param $length i32) (result i32)
    (i32.store (global.get $at) (local.get $letters))
    (global.set $at (i32.add (global.get $at) (local.get $length)))
    (i32.store8 (global.get $at) (i32.const 0x2c))
    (global.set $at (i32.add (global.get $at) (i32.const 1)))
    (call $step (i32.const 1)))

  ;; $length bytes of text from $pos on, in quotes, and then a colon or a comma: $close. 16 bytes are tested and copied
  ;; at a time; as signed numbers, control characters and all that is not ASCII are less than a space. 0: not for us.
  (func $string (param $pos i32) (param $length i32) (param $close i32) (result i32)
    (local $at i32) (local $end i32) (local $special i32) (local $left i32) (local $size i32)
    (local $text v128) (local $space v128) (local $quote v128) (local $backslash v128)
    (if (i32.gt_u (local.get $pos) (global.get $end)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $length) (i32.sub (global.get $end) (local.get $pos))) (then (return (i32.const 0))))
    (local.set $at (global.get $at))
    ;; A byte becomes six at most.
    (if (call $full (i32.add (local.get $at) (i32.mul (local.get $length) (i32.const 6))))
      (then (return (i32.const 0))))
    (local.set $space (i8x16.splat (i32.const 0x20)))
    (local.set $quote (i8x16.splat (i32.const 0x22)))
    (local.set $backslash (i8x16.splat (i32.const 0x5c)))
    (local.set $end (i32.add (local.get $pos) (local.get $length)))
    (i32.store8 (local.get $at) (i32.const 0x22))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (loop $more
      (local.set $text (v128.load (local.get $pos)))
      (v128.store (local.get $at) (local.get $text))
      (local.set $left (i32.sub (local.get $end) (local.get $pos)))
      (local.set $special (i8x16.bitmask (v128.or
        (i8x16.lt_s (local.get $text) (local.get $space))
        (v128.or
          (i8x16.eq (local.get $text) (local.get $quote))
          (i8x16.eq (local.get $text) (local.get $backslash))))))
      (local.set $size (i32.ctz (local.get $special))) ;; 32 where there is none
      (if (i32.lt_u (local.get $size) (local.get $left))
        (then
          (if (local.get $special)
            (then
              (local.set $pos (i32.add (local.get $pos) (local.get $size)))
              (local.set $at (i32.add (local.get $at) (local.get $size)))
              (if (i32.lt_u (i32.load8_u (local.get $pos)) (i32.const 0x80))
                (then
                  (local.set $at (call $escape (i32.load8_u (local.get $pos)) (local.get $at)))
                  (local.set $pos (i32.add (local.get $pos) (i32.const 1))))
                (else
                  (local.set $size (call $sequenceLength (local.get $pos) (local.get $end)))
                  (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
                  (i32.store (local.get $at) (i32.load (local.get $pos)))
                  (local.set $pos (i32.add (local.get $pos) (local.get $size)))
                  (local.set $at (i32.add (local.get $at) (local.get $size)))))
              (br $more)))))
      (if (i32.gt_u (local.get $left) (i32.const 16))
        (then
          (local.set $pos (i32.add (local.get $pos) (i32.const 16)))
          (local.set $at (i32.add (local.get $at) (i32.const 16)))
          (br $more))))
    (local.set $at (i32.add (local.get $at) (local.get $left)))
    (i32.store16 (local.get $at) (local.get $close))
    (global.set $at (i32.add (local.get $at) (i32.const 2)))
    (global.set $pos (local.get $end))
    (i32.const 1))

  ;; Returns where to write next.
  (func $escape (param $byte i32) (param $at i32) (result i32) (local $letter i32)
    (local.set $letter (i32.load8_u (local.get $byte)))
    (if (local.get $letter)
      (then
        (i32.store16 (local.get $at) (i32.or (i32.const 0x5c) (i32.shl (local.get $letter) (i32.const 8))))
        (return (i32.add (local.get $at) (i32.const 2)))))
    (i32.store (local.get $at) (i32.const 0x3030755c)) ;; `\u00`
    (i32.store8 offset=4 (local.get $at) (i32.load8_u offset=328 (i32.shr_u (local.get $byte) (i32.const 4))))
    (i32.store8 offset=5 (local.get $at) (i32.load8_u offset=328 (i32.and (local.get $byte) (i32.const 15))))
    (i32.add (local.get $at) (i32.const 6)))

  ;; Of the UTF-8 sequence at $pos, whose first byte is not ASCII; 0 when it is broken [Unicode 15, table 3-7].
  (func $sequenceLength (param $pos i32) (param $end i32) (result i32)
    (local $first i32) (local $second i32) (local $size i32) (local $low i32) (local $high i32)
    (local.set $first (i32.load8_u (local.get $pos)))
    (if (i32.ge_u (i32.sub (local.get $first) (i32.const 0xc2)) (i32.const 0x33)) (then (return (i32.const 0))))
    (local.set $size (i32.add (i32.const 2)
      (i32.add (i32.ge_u (local.get $first) (i32.const 0xe0)) (i32.ge_u (local.get $first) (i32.const 0xf0)))))
    (if (i32.gt_u (i32.add (local.get $pos) (local.get $size)) (local.get $end)) (then (return (i32.const 0))))
    (local.set $low (i32.const 0x80))
    (local.set $high (i32.const 0xbf))
    (if (i32.eq (local.get $first) (i32.const 0xe0)) (then (local.set $low (i32.const 0xa0))))
    (if (i32.eq (local.get $first) (i32.const 0xf0)) (then (local.set $low (i32.const 0x90))))
    (if (i32.eq (local.get $first) (i32.const 0xed)) (then (local.set $high (i32.const 0x9f))))
    (if (i32.eq (local.get $first) (i32.const 0xf4)) (then (local.set $high (i32.const 0x8f))))
    (local.set $second (i32.load8_u offset=1 (local.get $pos)))
    (if (i32.lt_u (local.get $second) (local.get $low)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $second) (local.get $high)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $size) (i32.const 2))
      (then (if (i32.ne (i32.and (i32.load8_u offset=2 (local.get $pos)) (i32.const 0xc0)) (i32.const 0x80))
        (then (return (i32.const 0))))))
    (if (i32.gt_u (local.get $size) (i32.const 3))
      (then (if (i32.ne (i32.and (i32.load8_u offset=3 (local.get $pos)) (i32.const 0xc0)) (i32.const 0x80))
        (then (return (i32.const 0))))))
    (local.get $size))

  ;; Whether writing up to $at, and a little more, would go beyond the memory.
  (func $full (param $at i32) (result i32)
    (i32.gt_u (local.get $at) (i32.const 261888)))

  ;; Copies $length bytes, in steps of 16: there must be room for more. Returns where to write next.
  (func $copy (param $from i32) (param $length i32) (param $at i32) (result i32) (local $done i32)
    (loop $more
      (v128.store (i32.add (local.get $at) (local.get $done))
        (v128.load (i32.add (local.get $from) (local.get $done))))
      (local.set $done (i32.add (local.get $done) (i32.const 16)))
      (br_if $more (i32.lt_u (local.get $done) (local.get $length))))
    (i32.add (local.get $at) (local.get $length)))

  ;; Any number of digits. Returns where to write next.
  (func $decimal (param $number i64) (param $at i32) (result i32) (local $high i64)
    (if (i64.lt_u (local.get $number) (i64.const 1000000000))
      (then (return (call $short (i32.wrap_i64 (local.get $number)) (local.get $at)))))
    (local.set $high (i64.div_u (local.get $number) (i64.const 1000000000)))
    (local.set $at (call $decimal (local.get $high) (local.get $at)))
    (call $nine (i32.wrap_i64 (i64.sub (local.get $number) (i64.mul (local.get $high) (i64.const 1000000000))))
      (local.get $at))
    (i32.add (local.get $at) (i32.const 9)))

  ;; Up to nine digits. Returns where to write next.
  (func $short (param $number i32) (param $at i32) (result i32)
    (local $end i32) (local $place i32) (local $rest i32) (local $power i32)
    (local.set $end (i32.add (local.get $at) (i32.const 1)))
    (local.set $power (i32.const 10))
    (block $measured
      (loop $wider
        (br_if $measured (i32.lt_u (local.get $number) (local.get $power)))
        (local.set $power (i32.mul (local.get $power) (i32.const 10)))
        (local.set $end (i32.add (local.get $end) (i32.const 1)))
        (br $wider)))
    (local.set $place (local.get $end))
    (block $done
      (loop $more
        (br_if $done (i32.lt_u (local.get $number) (i32.const 10)))
        (local.set $place (i32.sub (local.get $place) (i32.const 2)))
        (local.set $rest (i32.div_u (local.get $number) (i32.const 100)))
        (call $pair (i32.sub (local.get $number) (i32.mul (local.get $rest) (i32.const 100))) (local.get $place))
        (local.set $number (local.get $rest))
        (br $more)))
    (if (i32.gt_u (local.get $place) (local.get $at))
      (then (i32.store8 (local.get $at) (i32.add (local.get $number) (i32.const 0x30)))))
    (local.get $end))

  ;; Nine digits, with zeros in front.
  (func $nine (param $number i32) (param $at i32) (local $rest i32) (local $place i32)
    (local.set $place (i32.add (local.get $at) (i32.const 7)))
    (loop $more
      (local.set $rest (i32.div_u (local.get $number) (i32.const 100)))
      (call $pair (i32.sub (local.get $number) (i32.mul (local.get $rest) (i32.const 100))) (local.get $place))
      (local.set $number (local.get $rest))
      (local.set $place (i32.sub (local.get $place) (i32.const 2)))
      (br_if $more (i32.gt_u (local.get $place) (local.get $at))))
    (i32.store8 (local.get $at) (i32.add (local.get $number) (i32.const 0x30))))

  ;; Two digits.
  (func $pair (param $number i32) (param $at i32)
    (i32.store16 (local.get $at) (i32.load16_u offset=128 (i32.shl (local.get $number) (i32.const 1)))))

  (func $big16 (param $at i32) (result i32)
    (i32.or (i32.shl (i32.load8_u (local.get $at)) (i32.const 8)) (i32.load8_u offset=1 (local.get $at))))

  (func $big32 (param $at i32) (result i32) (local $word i32)
    (local.set $word (i32.load (local.get $at)))
    (i32.or
      (i32.and (i32.rotl (local.get $word) (i32.const 8)) (i32.const 0x00ff00ff))
      (i32.and (i32.rotr (local.get $word) (i32.const 8)) (i32.const 0xff00ff00))))

  (func $big64 (param $at i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (call $big32 (local.get $at))) (i64.const 32))
      (i64.extend_i32_u (call $big32 (i32.add (local.get $at) (i32.const 4)))))))
