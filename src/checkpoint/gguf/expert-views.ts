// One expert matrix of a layer, however a GGUF file stores it, as the pair of views that safetensors files have: blocks
// and scales, gate and linear rows alternating. MXFP4 keeps every bit; any other type is rounded to it.

import type { FilePlace, StoredBlocks, TensorView } from "../../base/index.ts";
import { computedView } from "../computed-view.ts";
import { decodeMxfp4, encodeMxfp4, type Mxfp4Bytes } from "../numbers/mxfp4.ts";
import { measureRounding, type OnRounding } from "../numbers/rounding.ts";
import { bytesOf, floatsOf, narrow } from "../numbers/rows.ts";
import type { GgufTensor } from "./collect.ts";
import { decodeBlocks, isQuantized } from "./decode.ts";
import { type GgmlType, ggmlByteLength } from "./format.ts";
import { blocksFromGguf, scalesFromGguf } from "./repack.ts";

export type TypedGgufTensor = GgufTensor & { readonly type: GgmlType };

/** Rows of a matrix `[E · rows, cols]` that is given as one tensor, or as some rows of one. */
export interface ExpertRows {
  readonly type: GgmlType;
  /** Where the first expert's first row is, and how far each expert is from the next. */
  readonly place: (FilePlace & { readonly expertBytes: number }) | undefined;
  read(first: number, count: number): Promise<Uint8Array>;
}

/** All rows of a tensor `[E, rows, cols]`. */
export function wholeRows({ type, shape, source, offset }: TypedGgufTensor): ExpertRows {
  const rowBytes = ggmlByteLength(type, [shape[2]]);
  const { path } = source;
  return {
    type,
    place: path === undefined ? undefined : { path, offset, expertBytes: shape[1] * rowBytes },
    read: (first, count) => source.read(offset + first * rowBytes, count * rowBytes),
  };
}

/** Half of every expert's rows: of `[gate; up]` stacked, the gate's or the up's. */
export function halfOfRows(tensor: TypedGgufTensor, half: 0 | 1): ExpertRows {
  const [, bothRows, cols] = tensor.shape;
  const rows = bothRows / 2;
  const rowBytes = ggmlByteLength(tensor.type, [cols]);
  const whole = wholeRows(tensor);
  const { place } = whole;
  return {
    type: tensor.type,
    place: place && { ...place, offset: place.offset + half * rows * rowBytes },
    read: async (first, count) => {
      const out = new Uint8Array(count * rowBytes);
      for (let row = first; row < first + count; ) {
        const expert = Math.floor(row / rows);
        const end = Math.min(first + count, (expert + 1) * rows);
        const bytes = await whole.read(row + (expert + half) * rows, end - row);
        out.set(bytes, (row - first) * rowBytes);
        row = end;
      }
      return out;
    },
  };
}

export interface ExpertMatrix {
  /** Without `_blocks` or `_scales`. */
  readonly name: string;
  readonly experts: number;
  /** Of all parts together. */
  readonly rows: number;
  readonly blocksPerRow: number;
  /** Row r of the matrix is row `floor(r / parts)` of part `r mod parts`. */
  readonly parts: readonly ExpertRows[];
}

export function expertViews(matrix: ExpertMatrix, onRounding: OnRounding | undefined): readonly TensorView[] {
  const { name, experts, rows, blocksPerRow, parts } = matrix;
  const view = (suffix: "blocks" | "scales", bytesPerBlock: 16 | 1, fill: Fill): TensorView =>
    computedView({
      name: `${name}_${suffix}`,
      dtype: "U8",
      shape: [experts, rows, blocksPerRow, ...(suffix === "blocks" ? [16] : [])],
      unitBytes: parts.length * blocksPerRow * bytesPerBlock,
      stored: suffix === "blocks" ? storedBlocks(parts) : undefined,
      make: async (first, count) => {
        const stored = await Promise.all(parts.map((part) => part.read(first, count)));
        const out = new Uint8Array(count * parts.length * blocksPerRow * bytesPerBlock);
        for (const [part, { type }] of parts.entries())
          fill(out, { type, stored: stored[part], first: part, stride: parts.length, blocksPerRow });
        return out;
      },
    });
  return [
    view("blocks", 16, (out, rows) => fillBlocks(out, rows, { name, onRounding })),
    view("scales", 1, (out, rows) => fillScales(out, rows, name)),
  ];
}

/** Where MXFP4 lies in files that can be mapped. */
function storedBlocks(parts: readonly ExpertRows[]): StoredBlocks | undefined {
  const [{ type }] = parts;
  const places = parts.flatMap(({ place }) => place ?? []);
  const isMxfp4 = type === "MXFP4" || type === "MXFP4_OLLAMA";
  if (!isMxfp4 || places.length < parts.length || parts.some((part) => part.type !== type)) return undefined;
  return { type: "mxfp4", nibbles: type === "MXFP4" ? "halves" : "pairs", parts: places };
}

type Fill = (out: Uint8Array, rows: StoredRows) => void;

interface StoredRows {
  readonly type: GgmlType;
  readonly stored: Uint8Array;
  readonly blocksPerRow: number;
  readonly first: number;
  readonly stride: number;
}

function fillBlocks(
  blocks: Uint8Array,
  rows: StoredRows,
  { name, onRounding }: { readonly name: string; readonly onRounding: OnRounding | undefined },
): void {
  const { type, stored } = rows;
  if (type === "MXFP4") blocksFromGguf(stored, blocks, rows);
  else if (type === "MXFP4_OLLAMA") blocksFromGguf(stored, blocks, { ...rows, order: "safetensors" });
  else {
    const into = { blocks, scales: new Uint8Array(blocks.length / 16) };
    const exact = round(name, rows, into);
    if (!onRounding) return;
    const result = floatsOf("BF16", bytesOf(decodeMxfp4(into, rows)));
    onRounding(measureRounding(name, "mxfp4", { exact, stored: result }));
  }
}

function fillScales(scales: Uint8Array, rows: StoredRows, name: string): void {
  if (rows.type === "MXFP4" || rows.type === "MXFP4_OLLAMA") scalesFromGguf(rows.stored, scales, rows);
  else round(name, rows, { blocks: new Uint8Array(scales.length * 16), scales });
}

/** → the values before rounding. */
function round(name: string, rows: StoredRows, into: Mxfp4Bytes): Float32Array {
  const { type, stored } = rows;
  const values = isQuantized(type) ? decodeBlocks(type, stored) : floatsOf(type, stored);
  encodeMxfp4(name, narrow(values), into, rows);
  return values;
}
