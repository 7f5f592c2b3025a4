// Rows of stored numbers as arrays: BF16, F16 and F32 bytes ⇄ values, many at a time.

import { type DType, f16ToF32, GptOssError } from "../../base/index.ts";

/** Bytes of floats → values; a BF16 becomes the f32 whose upper half it is. */
export function floatsOf(dtype: DType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  switch (dtype) {
    case "BF16":
      return widen(halvesOf(bytes));
    case "F16":
      return Float32Array.from(halvesOf(bytes), f16ToF32);
    case "F32": {
      const { buffer, byteOffset } = aligned(bytes, 4);
      return new Float32Array(buffer, byteOffset, bytes.length / 4);
    }
    default:
      throw new GptOssError("checkpoint/wrong-dtype", { message: `${dtype} values are not floats` });
  }
}

/** Rounds to nearest, ties to even, as base's f32ToBf16 does, a NaN staying one; 300 million a second. */
export function narrow(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length);
  narrowInto(new Uint32Array(values.buffer, values.byteOffset, values.length), out, 0);
  return out;
}

/** The same for bits of values, written to `out` from `to` on. */
export function narrowInto(bits: Uint32Array, out: Uint16Array, to: number): void {
  for (let i = 0; i < bits.length; i++) out[to + i] = narrowed(bits[i]);
}

/** The inverse: halves from `from` on, as many as `out` has room for. */
export function widenInto(halves: Uint16Array, from: number, out: Float32Array): void {
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  const count = Math.min(out.length, halves.length - from);
  for (let i = 0; i < count; i++) bits[i] = halves[from + i] << 16;
}

function narrowed(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function widen(halves: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
  return new Float32Array(bits.buffer);
}

/** BF16 or F16 values as bits. */
export function halvesOf(bytes: Uint8Array): Uint16Array<ArrayBuffer> {
  const { buffer, byteOffset } = aligned(bytes, 2);
  return new Uint16Array(buffer, byteOffset, bytes.length / 2);
}

function aligned(bytes: Uint8Array, to: number): Uint8Array<ArrayBuffer> {
  return (bytes.byteOffset % to === 0 ? bytes : bytes.slice()) as Uint8Array<ArrayBuffer>;
}

export const bytesOf = (values: ArrayBufferView<ArrayBuffer>): Uint8Array<ArrayBuffer> =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
