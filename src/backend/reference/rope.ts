import type { Rotation } from "../backend.ts";

/**
 * Rotates the pairs (i, i + headDim/2) of every head of `x` `[T, heads·headDim]` by the row's angles. Half-split pairs,
 * not neighbours: gpt_oss/torch/model.py `_apply_rotary_emb`.
 */
export function rope(x: Float32Array, headDim: number, cols: number, { cos, sin }: Rotation): Float32Array {
  const half = headDim / 2;
  const out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += headDim) {
    const angles = Math.floor(start / cols) * half;
    for (let i = 0; i < half; i++) {
      const [a, b] = [x[start + i], x[start + half + i]];
      out[start + i] = a * cos[angles + i] - b * sin[angles + i];
      out[start + half + i] = b * cos[angles + i] + a * sin[angles + i];
    }
  }
  return out;
}
