/** The given rows of `x` `[T, cols]`, in the given order. */
export function gather(x: Float32Array, cols: number, rows: Int32Array): Float32Array {
  const out = new Float32Array(rows.length * cols);
  rows.forEach((row, i) => {
    out.set(x.subarray(row * cols, (row + 1) * cols), i * cols);
  });
  return out;
}
