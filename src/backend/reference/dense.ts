// Dense weights, kept as the file stores them (BF16, F16 or F32) and decoded row by row.

import { elementCount, f16ToF32, type TensorView } from "../../base/index.ts";
import { checkBytes } from "../checks.ts";
import type { RowSource } from "./multiply.ts";

export interface Dense extends RowSource {
  readonly bytes: number;
}

/** Rows of the view, whose last dimension is the columns; a vector is one row. Keeps the bytes that `read` gave. */
export async function loadDense(view: TensorView): Promise<Dense> {
  const cols = view.shape[view.shape.length - 1];
  const stored = await readAligned(view);
  return {
    rows: elementCount(view.shape) / cols,
    cols,
    bytes: stored.byteLength,
    decodeRows: decoder(view, stored, cols),
  };
}

/** The view's bytes on a boundary of four, so that typed arrays can lie on them; padded to whole words. */
async function readAligned(view: TensorView): Promise<Uint8Array> {
  const bytes = await view.read();
  checkBytes(view, bytes);
  if (bytes.byteOffset % 4 === 0 && bytes.byteLength % 4 === 0) return bytes;
  const copy = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  copy.set(bytes);
  return copy;
}

function decoder(view: TensorView, stored: Uint8Array, cols: number): RowSource["decodeRows"] {
  const { buffer, byteOffset, byteLength } = stored;
  switch (view.dtype) {
    case "BF16": {
      const pairs = new Int32Array(buffer, byteOffset, byteLength / 4);
      return (first, count, out) => decodeBf16(pairs, first * cols, out, count * cols);
    }
    case "F16": {
      const bits = new Uint16Array(buffer, byteOffset, byteLength / 2);
      return (first, count, out) => {
        for (let i = 0; i < count * cols; i++) out[i] = f16ToF32(bits[first * cols + i]);
      };
    }
    default: {
      const values = new Float32Array(buffer, byteOffset, byteLength / 4);
      return (first, count, out) => out.set(values.subarray(first * cols, (first + count) * cols));
    }
  }
}

/** bfloat16 is the upper half of a float32. Reading pairs halves the loads, which is what decoding one token costs. */
function decodeBf16(pairs: Int32Array, start: number, out: Float32Array, count: number): void {
  const bits = new Int32Array(out.buffer, out.byteOffset, count);
  let i = 0;
  if (start % 2 === 1) bits[i++] = pairs[start >> 1] & 0xffff0000;
  for (let pair = (start + i) >> 1; i + 1 < count; i += 2, pair++) {
    bits[i] = pairs[pair] << 16;
    bits[i + 1] = pairs[pair] & 0xffff0000;
  }
  if (i < count) bits[i] = pairs[(start + i) >> 1] << 16;
}

/** One row, decoded. */
export function decodeRow(source: RowSource, row: number): Float32Array {
  const values = new Float32Array(source.cols);
  source.decodeRows(row, 1, values);
  return values;
}
