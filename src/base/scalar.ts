// Scalar codecs: bf16, f16 and MXFP4 (E2M1 values with a shared E8M0 exponent), as the files store them.

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** The value of 16 bits of bfloat16: the upper half of a float32. */
export function bf16ToF32(bits: number): number {
  u32[0] = bits << 16;
  return f32[0];
}

/** Rounds to nearest, ties to even; a NaN stays a NaN. */
export function f32ToBf16(value: number): number {
  f32[0] = value;
  const bits = u32[0];
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** Rounds to nearest, ties to even; overflows to infinity. */
export function f32ToF16(value: number): number {
  f32[0] = value;
  const bits = u32[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal in f16: the value is a multiple of 2^-24, and Math.round would break ties away from even.
    const scaled = Math.abs(f32[0]) * 2 ** 24;
    const down = Math.floor(scaled);
    const rest = scaled - down;
    const up = rest > 0.5 || (rest === 0.5 && down % 2 === 1);
    return sign | (down + (up ? 1 : 0));
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** The 16 values of a 4-bit E2M1 float: sign, two exponent bits, one mantissa bit. */
export const mxfp4Values: Readonly<Float32Array> = Float32Array.of(
  0,
  0.5,
  1,
  1.5,
  2,
  3,
  4,
  6,
  -0,
  -0.5,
  -1,
  -1.5,
  -2,
  -3,
  -4,
  -6,
);

/** Values that share one scale. */
export const mxfp4BlockValues = 32;
/** Bytes of one block's nibbles. */
export const mxfp4BlockBytes = 16;

/** The scale of an MXFP4 block: `exponent` is the stored byte, biased by 127. */
export function mxfp4Scale(exponent: number): number {
  return 2 ** (exponent - 127);
}
