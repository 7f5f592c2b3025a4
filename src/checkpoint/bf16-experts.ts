// Experts as Transformers saves them after fine-tuning, BF16 `[E, cols, rows]`, ⇄ the MXFP4 pair of the published files,
// `[E, rows, cols / 32]`. They are transposed to each other, so one expert is the smallest piece: 33 MB in gpt-oss.

import type { TensorView } from "../base/index.ts";
import { computedView } from "./computed-view.ts";
import { decodeMxfp4, encodeMxfp4 } from "./numbers/mxfp4.ts";
import { measureRounding, type OnRounding } from "./numbers/rounding.ts";
import { bytesOf, floatsOf, halvesOf, narrow } from "./numbers/rows.ts";

/** `blocks` and `scales` of experts that are rounded when they are read. */
export function unquantisedExpertViews(
  view: TensorView,
  onRounding: OnRounding | undefined,
): readonly TensorView[] {
  const [experts, cols, rows] = view.shape;
  const blocksPerRow = cols / 32;
  const expertBytes = view.byteLength / experts;
  const encode = async (first: number, count: number) => {
    const bytes = await view.read(first * expertBytes, (first + count) * expertBytes);
    const halves = view.dtype === "BF16" ? halvesOf(bytes) : narrow(floatsOf(view.dtype, bytes));
    const size = count * rows * blocksPerRow;
    const into = { blocks: new Uint8Array(size * 16), scales: new Uint8Array(size) };
    const upright = transposed(halves, { matrices: count, rows: cols, cols: rows });
    encodeMxfp4(view.name, upright, into, { blocksPerRow });
    return { ...into, upright };
  };
  const pair = (suffix: string, unit: readonly number[], make: Make): TensorView =>
    computedView({
      name: `${view.name}_${suffix}`,
      dtype: "U8",
      shape: [experts, ...unit],
      unitBytes: unit.reduce((product, size) => product * size, 1),
      make,
      keepsLast: true,
    });
  return [
    pair("blocks", [rows, blocksPerRow, 16], async (first, count) => {
      const { upright, ...mxfp4 } = await encode(first, count);
      if (onRounding) {
        const stored = floatsOf("BF16", bytesOf(decodeMxfp4(mxfp4, { blocksPerRow })));
        onRounding(
          measureRounding(view.name, "mxfp4", { exact: floatsOf("BF16", bytesOf(upright)), stored }),
        );
      }
      return mxfp4.blocks;
    }),
    pair("scales", [rows, blocksPerRow], async (first, count) => (await encode(first, count)).scales),
  ];
}

type Make = (first: number, count: number) => Promise<Uint8Array>;

/** The inverse: `gate_up_proj` or `down_proj` in BF16, which holds every MXFP4 value exactly. */
export function unquantisedExperts(name: string, blocks: TensorView, scales: TensorView): TensorView {
  const [experts, rows, blocksPerRow] = scales.shape;
  const cols = blocksPerRow * 32;
  const perExpert = rows * blocksPerRow;
  return computedView({
    name,
    dtype: "BF16",
    shape: [experts, cols, rows],
    unitBytes: cols * rows * 2,
    make: async (first, count) => {
      const [start, end] = [first * perExpert, (first + count) * perExpert];
      const mxfp4 = {
        blocks: await blocks.read(start * 16, end * 16),
        scales: await scales.read(start, end),
      };
      const upright = decodeMxfp4(mxfp4, { blocksPerRow });
      return bytesOf(transposed(upright, { matrices: count, rows, cols }));
    },
    keepsLast: true,
  });
}

/** Square tiles, so that what is read and what is written both stay in the cache. */
const tile = 32;

/** `[matrices, rows, cols]` → `[matrices, cols, rows]` */
function transposed(
  from: Uint16Array,
  { matrices, rows, cols }: { readonly matrices: number; readonly rows: number; readonly cols: number },
): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(from.length);
  for (let matrix = 0; matrix < matrices; matrix++) {
    const start = matrix * rows * cols;
    for (let row = 0; row < rows; row += tile)
      for (let col = 0; col < cols; col += tile) transposeTile(from, out, { start, rows, cols, row, col });
  }
  return out;
}

interface Tile {
  readonly start: number;
  readonly rows: number;
  readonly cols: number;
  readonly row: number;
  readonly col: number;
}

function transposeTile(from: Uint16Array, out: Uint16Array, { start, rows, cols, row, col }: Tile): void {
  const rowEnd = Math.min(row + tile, rows);
  const colEnd = Math.min(col + tile, cols);
  for (let c = col; c < colEnd; c++)
    for (let r = row; r < rowEnd; r++) out[start + c * rows + r] = from[start + r * cols + c];
}
