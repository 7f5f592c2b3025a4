import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bf16ToF32, f16ToF32, f32ToBf16, mxfp4Scale, mxfp4Values } from "../../base/index.ts";
import { bf16ToF32Bytes, bf16ToQ8, mxfp4FromGguf, mxfp4ToGguf, strided } from "./repack.ts";

/** `rows` rows of random MXFP4 blocks in the Hugging Face layout. */
const mxfp4Rows = fc
  .record({ rows: fc.integer({ min: 1, max: 6 }), blocksPerRow: fc.integer({ min: 1, max: 5 }) })
  .chain(({ rows, blocksPerRow }) => {
    const count = rows * 2 * blocksPerRow;
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    return fc.record({
      blocksPerRow: fc.constant(blocksPerRow),
      blocks: bytes(count * 16),
      scales: bytes(count),
    });
  });

describe("MXFP4 between the two layouts", () => {
  test("there and back again keeps every bit, rows together or alternating", () => {
    fc.assert(
      fc.property(mxfp4Rows, fc.constantFrom(1, 2), ({ blocksPerRow, blocks, scales }, stride) => {
        const back = { blocks: new Uint8Array(blocks.length), scales: new Uint8Array(scales.length) };
        for (let first = 0; first < stride; first++) {
          const gguf = mxfp4ToGguf(blocks, scales, { blocksPerRow, first, stride });
          mxfp4FromGguf(gguf, back, { blocksPerRow, first, stride });
        }
        expect(back).toEqual({ blocks, scales });
      }),
    );
  });

  test("a value means the same in both: ggml's block has elements i and i + 16 in one byte", () => {
    const blocks = Uint8Array.from({ length: 16 }, (_, i) => ((2 * i) % 16) | (((2 * i + 1) % 16) << 4));
    const [exponent, ...bytes] = mxfp4ToGguf(blocks, Uint8Array.of(129), { blocksPerRow: 1 });
    const element = (i: number): number => (i < 16 ? bytes[i] & 15 : bytes[i - 16] >>> 4);
    for (let i = 0; i < 32; i++) {
      expect(mxfp4Values[element(i)] * mxfp4Scale(exponent)).toBe(mxfp4Values[i % 16] * 4);
    }
  });
});

test("Q8_0 is within half a step of every value, and its scale is the largest value over 127", () => {
  const values = fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(values, (numbers) => {
      const bits = Uint16Array.from(numbers, f32ToBf16);
      const stored = Array.from(bits, bf16ToF32);
      const q8 = bf16ToQ8(new Uint8Array(bits.buffer));
      const scale = f16ToF32(q8[0] | (q8[1] << 8));
      const largest = Math.max(...stored.map(Math.abs));
      // The scale is rounded to f16: 11 significant bits, or a multiple of 2^-24 when it is tiny.
      expect(Math.abs(scale - largest / 127)).toBeLessThanOrEqual((largest / 127) * 2 ** -11 + 2 ** -25);
      if (scale < 2 ** -14) return; // below f16's normal range the scale itself is coarse
      const quantised = new Int8Array(q8.buffer, 2, 32);
      for (const [i, value] of stored.entries()) {
        // half a step, plus what the rounded scale adds at 127 steps
        expect(Math.abs(quantised[i] * scale - value)).toBeLessThanOrEqual(scale * (0.5 + 127 * 2 ** -10));
      }
    }),
  );
});

test("bfloat16 widens to float32 without change, and strided elements come out in order", () => {
  const bits = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f80);
  expect([...new Float32Array(bf16ToF32Bytes(new Uint8Array(bits.buffer)).buffer)]).toEqual(
    Array.from(bits, bf16ToF32),
  );
  const pairs = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7);
  expect([...strided(pairs, 2, { first: 1, stride: 2 })]).toEqual([2, 3, 6, 7]);
});
