// Dense weights, kept as the file stores them (BF16, F16 or F32) and decoded row by row.

import { elementCount, f16ToF32, type TensorView } from "../../base/index.ts";
import type { RowSource, Tile } from "./row-source.ts";
import { readStored } from "./stored-bytes.ts";

export interface Dense extends RowSource {
  readonly bytes: number;
}

/** Rows of the view, whose last dimension is the columns; a vector is one row. */
export async function loadDense(view: TensorView): Promise<Dense> {
  const cols = view.shape[view.shape.length - 1];
  const stored = await readStored(view);
  return {
    rows: elementCount(view.shape) / cols,
    cols,
    bytes: stored.byteLength,
    decodeRows: decoder(view, stored, cols),
  };
}

function decoder(
  view: TensorView,
  { buffer, byteOffset, byteLength }: Uint8Array,
  cols: number,
): RowSource["decodeRows"] {
  switch (view.dtype) {
    case "BF16": {
      const pairs = new Int32Array(buffer, byteOffset, byteLength / 4);
      return (first, count, tile) => decodeBf16(pairs, first * cols, count * cols, tile);
    }
    case "F16": {
      const bits = new Uint16Array(buffer, byteOffset, byteLength / 2);
      return (first, count, { values }) => {
        for (let i = 0; i < count * cols; i++) values[i] = f16ToF32(bits[first * cols + i]);
      };
    }
    default: {
      const stored = new Float32Array(buffer, byteOffset, byteLength / 4);
      return (first, count, { values }) => values.set(stored.subarray(first * cols, (first + count) * cols));
    }
  }
}

/** bfloat16 is the upper half of a float32. Two a load, because this is half of what decoding a token costs. */
function decodeBf16(pairs: Int32Array, start: number, count: number, { bits }: Tile): void {
  let i = 0;
  if (start % 2 === 1 && count > 0) bits[i++] = pairs[start >> 1] & 0xffff0000;
  for (let pair = (start + i) >> 1; i + 1 < count; i += 2, pair++) {
    bits[i] = pairs[pair] << 16;
    bits[i + 1] = pairs[pair] & 0xffff0000;
  }
  if (i < count) bits[i] = pairs[(start + i) >> 1] << 16;
}
