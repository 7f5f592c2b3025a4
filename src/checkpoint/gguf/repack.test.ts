import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bf16ToF32, f16ToF32, f32ToBf16, mxfp4Scale, mxfp4Values } from "../../base/index.ts";
import { measureRounding } from "../numbers/rounding.ts";
import { floatsOf, narrow } from "../numbers/rows.ts";
import { decodeBlocks } from "./decode.ts";
import { encodeQ8 } from "./encode-q8.ts";
import { blocksFromGguf, mxfp4ToGguf, scalesFromGguf } from "./repack.ts";

/** `rows` rows of random MXFP4 blocks in the safetensors layout. */
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
          const step = { blocksPerRow, first, stride };
          const gguf = mxfp4ToGguf(blocks, scales, step);
          blocksFromGguf(gguf, back.blocks, step);
          scalesFromGguf(gguf, back.scales, step);
        }
        expect(back).toEqual({ blocks, scales });
      }),
      { seed: 1 },
    );
  });

  test("a value means the same in both: ggml's block has elements i and i + 16 in one byte", () => {
    const blocks = Uint8Array.from({ length: 16 }, (_, i) => ((2 * i) % 16) | (((2 * i + 5) % 16) << 4));
    const [exponent, ...bytes] = mxfp4ToGguf(blocks, Uint8Array.of(129), { blocksPerRow: 1 });
    const element = (i: number): number => (i < 16 ? bytes[i] & 15 : bytes[i - 16] >>> 4);
    for (let i = 0; i < 32; i++) {
      const nibble = i % 2 === 0 ? blocks[i / 2] & 15 : blocks[(i - 1) / 2] >> 4;
      expect(mxfp4Values[element(i)] * mxfp4Scale(exponent)).toBe(mxfp4Values[nibble] * 4);
    }
  });

  test("Ollama's first files keep the nibbles of safetensors behind the exponent", () => {
    const block = Uint8Array.from({ length: 16 }, (_, i) => i * 7);
    const out = new Uint8Array(16);
    blocksFromGguf(Uint8Array.of(1, ...block), out, { blocksPerRow: 1, order: "safetensors" });
    expect(out).toEqual(block);
  });
});

describe("Q8_0", () => {
  test("is what ggml makes of the same values, byte for byte", () => {
    const file = new URL("../../../test/golden/gguf/blocks.json", import.meta.url);
    const { source, types } = JSON.parse(readFileSync(file, "utf8"));
    const halves = new Uint8Array(Buffer.from(source, "base64"));
    const values = floatsOf("BF16", halves);
    for (const { encoded } of [encodeQ8("BF16", halves), encodeQ8("F32", new Uint8Array(values.buffer))])
      expect(Buffer.from(encoded).toString("base64")).toBe(types.Q8_0.stored);
    const decoded = decodeBlocks("Q8_0", encodeQ8("BF16", halves).encoded);
    const loss = measureRounding("t", "q8_0", { exact: values, stored: decoded });
    const { encoded, ...measured } = encodeQ8("BF16", halves);
    for (const [key, value] of Object.entries(measured))
      expect([key, value]).toEqual([key, expect.closeTo(loss[key as keyof typeof measured], 6)]);
  });

  test("is within half a step of every value, and its scale is the largest value over 127", () => {
    const values = fc.array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(values, (numbers) => {
        const stored = numbers.map((value) => bf16ToF32(f32ToBf16(value)));
        const q8 = encodeQ8("F32", new Uint8Array(Float32Array.from(stored).buffer)).encoded;
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
      { seed: 2 },
    );
  });
});

test("narrowing many values rounds as narrowing one does, and widening loses nothing", () => {
  const f32Bits = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(f32Bits, (bits) => {
      const values = new Float32Array(Uint32Array.from(bits).buffer);
      const narrowed = narrow(values);
      for (const [i, value] of values.entries())
        if (!Number.isNaN(value)) expect(narrowed[i]).toBe(f32ToBf16(value));
        else expect(bf16ToF32(narrowed[i])).toBeNaN();
      const widened = floatsOf("BF16", new Uint8Array(narrowed.buffer));
      expect([...widened]).toEqual(Array.from(narrowed, bf16ToF32));
    }),
    { seed: 3 },
  );
});
