import type { KvCacheSpec } from "../backend.ts";

const smallestNormal = 2 ** -126; // of f32

/** What `KvStorage` int8 keeps of keys or values: every `headDim` numbers rounded together. */
export function roundToInt8(values: Float32Array, { headDim }: Pick<KvCacheSpec, "headDim">): Float32Array {
  const rounded = new Float32Array(values.length);
  for (let start = 0; start < values.length; start += headDim) {
    let largest = 0;
    for (let i = start; i < start + headDim; i++) largest = Math.max(largest, Math.abs(values[i]));
    const scale = Math.fround(largest / 127);
    if (scale < smallestNormal) continue; // zeros
    for (let i = start; i < start + headDim; i++) rounded[i] = roundHalfEven(values[i] / scale) * scale;
  }
  // An infinite scale, like one that is NaN, leaves no number: Infinity · 0.
  return rounded;
}

/** Of f32 up to 127: adding 1.5 · 2²³ leaves no bits for a fraction. */
function roundHalfEven(value: number): number {
  return Math.fround(Math.fround(value) + 12_582_912) - 12_582_912;
}
