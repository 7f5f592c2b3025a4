// The one inner loop of all matrix products. Four weight rows are decoded into a tile and then meet every token, so a
// row is decoded once per call however many tokens there are; and a token's sums are formed in the same order
// whichever tokens stand beside it, so that results never depend on how a batch was put together.

import { createTile, type RowSource } from "./row-source.ts";

/** Four sums at once hide the latency of an addition. */
const tileRows = 4;

/** `x` `[T, cols]` · weightᵀ → `[T, rows]`; products and sums in f64. */
export function multiply(x: Float64Array, weight: RowSource): Float64Array {
  const { rows, cols } = weight;
  const y = new Float64Array((x.length / cols) * rows);
  const tile = createTile(tileRows * cols);
  for (let row = 0; row < rows; row += tileRows) {
    const count = Math.min(tileRows, rows - row);
    weight.decodeRows(row, count, tile);
    multiplyTile(x, tile.values, y, { cols, rows, row, count });
  }
  return y;
}

interface TileShape {
  readonly cols: number;
  readonly rows: number;
  /** The tile's first row. */
  readonly row: number;
  /** Rows of the tile that are used. */
  readonly count: number;
}

function multiplyTile(
  x: Float64Array,
  tile: Float32Array,
  y: Float64Array,
  { cols, rows, row, count }: TileShape,
): void {
  const second = cols;
  const third = 2 * cols;
  const fourth = 3 * cols;
  for (let start = 0, out = row; start < x.length; start += cols, out += rows) {
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let i = 0; i < cols; i++) {
      const value = x[start + i];
      a += value * tile[i];
      b += value * tile[second + i];
      c += value * tile[third + i];
      d += value * tile[fourth + i];
    }
    y[out] = a;
    if (count > 1) y[out + 1] = b;
    if (count > 2) y[out + 2] = c;
    if (count > 3) y[out + 3] = d;
  }
}
