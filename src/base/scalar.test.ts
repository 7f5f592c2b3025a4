import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16, mxfp4Scale, mxfp4Values } from "./scalar.ts";

const f32 = fc.float({ noNaN: true });

/** The nearest of a format's values, ties to the one whose last bit is even: the definition, by looking at all of them. */
function nearest(value: number, decode: (bits: number) => number, infinity: number): number {
  if (Math.abs(value) === Number.POSITIVE_INFINITY) return infinity;
  // Positive values of the format grow with their bits, so the neighbours are found by bisection.
  let low = 0;
  let high = infinity - 1;
  const magnitude = Math.abs(value);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (decode(middle) <= magnitude) low = middle;
    else high = middle - 1;
  }
  const below = decode(low);
  // Past the largest value, infinity stands where the next value would be.
  const above = low + 1 === infinity ? 2 * below - decode(low - 1) : decode(low + 1);
  const middle = (below + above) / 2;
  if (magnitude < middle || (magnitude === middle && low % 2 === 0)) return low;
  return low + 1;
}

describe("bfloat16", () => {
  test("every value survives the way to float32 and back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = bf16ToF32(bits);
      if (Number.isNaN(value)) expect(bf16ToF32(f32ToBf16(value))).toBeNaN();
      else if (f32ToBf16(value) !== bits) throw new Error(`bits ${bits} came back as ${f32ToBf16(value)}`);
    }
  });

  test("a float32 becomes the nearest value, ties to even", () => {
    fc.assert(
      fc.property(f32, (value) => {
        expect(f32ToBf16(value) & 0x7fff).toBe(nearest(value, bf16ToF32, 0x7f80));
        expect(f32ToBf16(value) >>> 15).toBe(Object.is(value, -0) || value < 0 ? 1 : 0);
      }),
    );
  });
});

describe("float16", () => {
  test("every value survives the way to float32 and back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = f16ToF32(bits);
      if (Number.isNaN(value)) expect(f16ToF32(f32ToF16(value))).toBeNaN();
      else if (f32ToF16(value) !== bits) throw new Error(`bits ${bits} came back as ${f32ToF16(value)}`);
    }
  });

  test("a float32 becomes the nearest value, ties to even, subnormals and overflow included", () => {
    const inRange = fc.oneof(
      fc.float({ noNaN: true, min: -70000, max: 70000 }),
      fc.float({ noNaN: true, min: Math.fround(-1e-4), max: Math.fround(1e-4) }),
      // exactly half way between two values
      fc.integer({ min: 0, max: 0x7bfe }).map((bits) => (f16ToF32(bits) + f16ToF32(bits + 1)) / 2),
    );
    fc.assert(
      fc.property(inRange, (value) => {
        expect(f32ToF16(value) & 0x7fff).toBe(nearest(value, f16ToF32, 0x7c00));
      }),
      { numRuns: 500 },
    );
  });
});

test("MXFP4: sixteen values of sign, exponent and mantissa, scaled by a power of two", () => {
  for (const [code, value] of mxfp4Values.entries()) {
    const exponent = (code >> 1) & 3;
    const magnitude = exponent === 0 ? (code & 1) / 2 : (1 + (code & 1) / 2) * 2 ** (exponent - 1);
    expect(Math.abs(value)).toBe(magnitude);
    expect(Object.is(value, -0) || value < 0).toBe(code >= 8);
  }
  expect([mxfp4Scale(127), mxfp4Scale(120), mxfp4Scale(0)]).toEqual([1, 2 ** -7, 2 ** -127]);
});
