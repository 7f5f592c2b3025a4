import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bf16ToF32, f32ToBf16, GptOssError, mxfp4Scale, mxfp4Values } from "../../base/index.ts";
import { decodeMxfp4, encodeMxfp4 } from "./mxfp4.ts";

function encode(values: readonly number[]): { blocks: Uint8Array; scales: Uint8Array } {
  const into = { blocks: new Uint8Array(values.length / 2), scales: new Uint8Array(values.length / 32) };
  encodeMxfp4("t", Uint16Array.from(values, f32ToBf16), into, { blocksPerRow: values.length / 32 });
  return into;
}

const codesOf = (blocks: Uint8Array): number[] => [...blocks].flatMap((pair) => [pair & 15, pair >> 4]);

/** A block of 32 whose other values are 0. */
const blockOf = (...values: number[]): number[] => Array.from({ length: 32 }, (_, i) => values[i] ?? 0);

/** triton_kernels' rule in plain arithmetic: scale 2^⌈log2(largest / 6)⌉, then the nearest value, ties to even codes. */
function expected(values: readonly number[]): { exponent: number; codes: number[] } {
  const largest = Math.max(...values.map(Math.abs));
  if (largest === 0) return { exponent: 0, codes: values.map((value) => (Object.is(value, -0) ? 8 : 0)) };
  let exponent = -126;
  while (6 * 2 ** exponent < largest) exponent++;
  const codes = values.map((value) => {
    const scaled = Math.abs(value) / 2 ** exponent;
    const distance = (code: number): number => Math.abs(mxfp4Values[code] - scaled);
    const best = [0, 2, 4, 6, 1, 3, 5, 7].reduce((a, b) => (distance(b) < distance(a) ? b : a));
    return best | (value < 0 || Object.is(value, -0) ? 8 : 0);
  });
  return { exponent: exponent + 127, codes };
}

/** bfloat16 values of one order of magnitude, some on the ties between two codes. */
const values = fc
  .tuple(
    fc.oneof(fc.integer({ min: -60, max: 60 }), fc.integer({ min: -130, max: -115 })),
    fc.array(
      fc.oneof(
        fc.float({ min: -1, max: 1, noNaN: true }),
        fc.constantFrom(0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 6, 4, 3, -0.25, -2.5, -5, 0, -0),
      ),
      { minLength: 32, maxLength: 32 },
    ),
  )
  .map(([exponent, block]) => block.map((value) => bf16ToF32(f32ToBf16(value * 2 ** exponent))));

describe("BF16 to MXFP4", () => {
  test("is the reference quantiser's rule: scale rounded up, values to nearest, ties to even", () => {
    fc.assert(
      fc.property(values, (block) => {
        const { blocks, scales } = encode(block);
        const { exponent, codes } = expected(block);
        expect([scales[0], codesOf(blocks)]).toEqual([exponent, codes]);
      }),
      { seed: 1, numRuns: 3000 },
    );
  });

  test("by hand: a block whose largest value is 6 keeps scale 1; one step more doubles it", () => {
    const ties = [6, 0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, -0.25, -5];
    const { blocks, scales } = encode(blockOf(...ties));
    expect(scales[0]).toBe(127);
    const stored = codesOf(blocks).slice(0, ties.length);
    expect(stored.map((code) => mxfp4Values[code])).toEqual([6, 0, 1, 1, 2, 2, 4, 4, -0, -4]);
    expect(encode(blockOf(6.03125)).scales[0]).toBe(128);
    expect(encode(blockOf(3)).scales[0]).toBe(126);
    expect(encode(blockOf())).toEqual({ blocks: new Uint8Array(16), scales: new Uint8Array(1) });
  });

  test("what was MXFP4 comes back with the same values, whatever its scales", () => {
    const block = fc.tuple(
      fc.integer({ min: 3, max: 250 }),
      fc.array(fc.integer({ min: 0, max: 15 }), { minLength: 32, maxLength: 32 }),
    );
    fc.assert(
      fc.property(block, ([exponent, codes]) => {
        const stored = codes.map((code) => mxfp4Values[code] * mxfp4Scale(exponent));
        const { blocks, scales } = encode(stored);
        const back = decodeMxfp4({ blocks, scales }, { blocksPerRow: 1 });
        expect([...back].map(bf16ToF32)).toEqual(stored);
      }),
      { seed: 2, numRuns: 2000 },
    );
  });

  test("an infinity or a NaN is refused, not stored as something else", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      let error: unknown;
      try {
        encode(blockOf(1, value));
      } catch (thrown) {
        error = thrown;
      }
      expect(GptOssError.isInstance(error) && error.code).toBe("checkpoint/bad-tensor");
    }
  });

  test("rows in turns: the rows of the other half are not touched", () => {
    const rows = Uint16Array.from({ length: 2 * 64 }, (_, i) => f32ToBf16(i));
    const into = { blocks: new Uint8Array(4 * 32).fill(9), scales: new Uint8Array(4 * 2).fill(9) };
    encodeMxfp4("t", rows, into, { blocksPerRow: 2, first: 1, stride: 2 });
    expect([...into.scales.subarray(0, 2), ...into.scales.subarray(4, 6)]).toEqual([9, 9, 9, 9]);
    const odd = decodeMxfp4(into, { blocksPerRow: 2, first: 1, stride: 2 });
    const alone = encode(Array.from(rows, bf16ToF32));
    expect(odd).toEqual(decodeMxfp4(alone, { blocksPerRow: 2 }));
  });
});
