import type { Dense } from "./dense.ts";

/** Rows of `table` `[V, D]` → `[T, D]`. */
export function embed(table: Dense, tokens: Int32Array): Float32Array {
  const { cols } = table;
  const out = new Float32Array(tokens.length * cols);
  tokens.forEach((token, i) => {
    table.decodeRows(token, 1, out.subarray(i * cols, (i + 1) * cols));
  });
  return out;
}
