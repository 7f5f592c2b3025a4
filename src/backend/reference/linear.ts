import type { Dense } from "./dense.ts";
import { multiply } from "./multiply.ts";
import { decodeRow } from "./row-source.ts";

/** `x` `[T, cols]` · weightᵀ + bias → `[T, rows]`; in f64 until the end. */
export function linear(x: Float32Array, weight: Dense, bias: Dense | undefined): Float32Array {
  const y = multiply(new Float64Array(x), weight);
  if (bias !== undefined) addBias(y, decodeRow(bias, 0));
  return new Float32Array(y);
}

/** Adds `bias` `[cols]` to every row of `y` `[T, cols]`. */
export function addBias(y: Float64Array, bias: Float32Array): void {
  for (let start = 0; start < y.length; start += bias.length) {
    for (let i = 0; i < bias.length; i++) y[start + i] += bias[i];
  }
}
