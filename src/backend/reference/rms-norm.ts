/** `x` `[T, D]` / rms(x) · `scale` `[D]`, row by row; the mean of squares in f64. */
export function rmsNorm(x: Float32Array, scale: Float32Array, epsilon: number): Float32Array {
  const cols = scale.length;
  const out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += cols) {
    let squares = 0;
    for (let i = start; i < start + cols; i++) squares += x[i] * x[i];
    const inverse = 1 / Math.sqrt(squares / cols + epsilon);
    for (let i = 0; i < cols; i++) out[start + i] = x[start + i] * inverse * scale[i];
  }
  return out;
}
