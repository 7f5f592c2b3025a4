// The one inner loop of all matrix products. Four weight rows are decoded into a tile and then meet every token, so a
// row is decoded once per call however many tokens there are; and a token's sums are formed in the same order
// whichever tokens stand beside it, so that results never depend on how a batch was put together.

/** A weight matrix that can write some of its rows, decoded. */
export interface RowSource {
  readonly rows: number;
  readonly cols: number;
  /** Writes rows `[first, first + count)` to the start of `out`, `[count, cols]`. */
  decodeRows(first: number, count: number, out: Float32Array): void;
}

/** Four sums at once hide the latency of an addition. */
const tileRows = 4;

/** `x` `[T, cols]` · weightᵀ → `y` `[T, rows]`; products and sums in f64. */
export function multiply(x: Float64Array, weight: RowSource, y: Float64Array): void {
  const { rows, cols } = weight;
  const tile = new Float32Array(tileRows * cols);
  for (let row = 0; row < rows; row += tileRows) {
    const count = Math.min(tileRows, rows - row);
    weight.decodeRows(row, count, tile);
    if (count === tileRows) multiplyTile(x, tile, cols, { y, rows, row });
    else
      for (let i = 0; i < count; i++)
        multiplyRow(x, tile.subarray(i * cols), cols, { y, rows, row: row + i });
  }
}

interface Output {
  readonly y: Float64Array;
  readonly rows: number;
  readonly row: number;
}

function multiplyTile(x: Float64Array, tile: Float32Array, cols: number, { y, rows, row }: Output): void {
  const [second, third, fourth] = [cols, 2 * cols, 3 * cols];
  for (let start = 0, out = row; start < x.length; start += cols, out += rows) {
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < cols; i++) {
      const value = x[start + i];
      a += value * tile[i];
      b += value * tile[second + i];
      c += value * tile[third + i];
      d += value * tile[fourth + i];
    }
    y[out] = a;
    y[out + 1] = b;
    y[out + 2] = c;
    y[out + 3] = d;
  }
}

function multiplyRow(x: Float64Array, tile: Float32Array, cols: number, { y, rows, row }: Output): void {
  for (let start = 0, out = row; start < x.length; start += cols, out += rows) {
    let sum = 0;
    for (let i = 0; i < cols; i++) sum += x[start + i] * tile[i];
    y[out] = sum;
  }
}
