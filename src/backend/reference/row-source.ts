/** A weight matrix, kept as the file stores it, that can write some of its rows decoded. */
export interface RowSource {
  readonly rows: number;
  readonly cols: number;
  /** Writes rows `[first, first + count)` to the start of the tile, `[count, cols]`. */
  decodeRows(first: number, count: number, tile: Tile): void;
}

/** Room for decoded rows, seen as what decoders write: values, their bits, or two values at once. */
export interface Tile {
  readonly values: Float32Array;
  readonly bits: Int32Array;
  readonly pairs: Float64Array;
}

export function createTile(length: number): Tile {
  const pairs = new Float64Array(Math.ceil(length / 2));
  return {
    pairs,
    values: new Float32Array(pairs.buffer, 0, length),
    bits: new Int32Array(pairs.buffer, 0, length),
  };
}

/** One row, decoded. */
export function decodeRow(source: RowSource, row: number): Float32Array {
  const tile = createTile(source.cols);
  source.decodeRows(row, 1, tile);
  return tile.values;
}
