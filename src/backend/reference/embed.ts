import type { Dense } from "./dense.ts";
import { decodeRow } from "./row-source.ts";

/** Rows of `table` `[V, D]` → `[T, D]`. */
export function embed(table: Dense, tokens: Int32Array): Float32Array {
  const out = new Float32Array(tokens.length * table.cols);
  tokens.forEach((token, i) => {
    out.set(decodeRow(table, token), i * table.cols);
  });
  return out;
}
