// The MXFP4 weights of a layer's experts, kept as the file stores them: 32 values share a scale, two values a byte.

import { mxfp4BlockBytes, mxfp4BlockValues, mxfp4Scale, mxfp4Values } from "../../base/index.ts";
import type { Experts, ExpertViews, Mxfp4View } from "../backend.ts";
import { checkBytes } from "../checks.ts";
import { type Dense, loadDense } from "./dense.ts";
import type { RowSource } from "./multiply.ts";

export interface StoredExperts {
  /** `[2·I, D]`; rows alternate gate, linear. */
  gateUp(expert: number): RowSource;
  /** `[D, I]` */
  down(expert: number): RowSource;
  /** `[E, 2·I]` */
  readonly gateUpBias: Dense;
  /** `[E, D]` */
  readonly downBias: Dense;
  readonly bytes: number;
}

export async function loadStoredExperts(views: ExpertViews, shape: Experts): Promise<StoredExperts> {
  const { hidden, intermediate } = shape;
  const gateUp = await loadMxfp4(views.gateUp);
  const down = await loadMxfp4(views.down);
  const gateUpBias = await loadDense(views.gateUpBias);
  const downBias = await loadDense(views.downBias);
  return {
    gateUp: (expert) => expertRows(gateUp, expert, 2 * intermediate, hidden),
    down: (expert) => expertRows(down, expert, hidden, intermediate),
    gateUpBias,
    downBias,
    bytes: gateUp.bytes + down.bytes + gateUpBias.bytes + downBias.bytes,
  };
}

interface Mxfp4 {
  readonly blocks: Uint8Array;
  readonly scales: Uint8Array;
  readonly bytes: number;
}

async function loadMxfp4(view: Mxfp4View): Promise<Mxfp4> {
  const blocks = await view.blocks.read();
  const scales = await view.scales.read();
  checkBytes(view.blocks, blocks);
  checkBytes(view.scales, scales);
  return { blocks, scales, bytes: blocks.byteLength + scales.byteLength };
}

/** By byte: the value of the low nibble (even element) and of the high nibble (odd element). */
const lowValues = Float32Array.from({ length: 256 }, (_, byte) => mxfp4Values[byte & 15]);
const highValues = Float32Array.from({ length: 256 }, (_, byte) => mxfp4Values[byte >> 4]);
const scaleValues = Float32Array.from({ length: 256 }, (_, exponent) => mxfp4Scale(exponent));

function expertRows({ blocks, scales }: Mxfp4, expert: number, rows: number, cols: number): RowSource {
  const blocksPerRow = cols / mxfp4BlockValues;
  return {
    rows,
    cols,
    decodeRows(first, count, out) {
      const firstBlock = (expert * rows + first) * blocksPerRow;
      for (let block = 0, i = 0; block < count * blocksPerRow; block++) {
        const scale = scaleValues[scales[firstBlock + block]];
        const start = (firstBlock + block) * mxfp4BlockBytes;
        for (let at = start; at < start + mxfp4BlockBytes; at++, i += 2) {
          const byte = blocks[at];
          out[i] = lowValues[byte] * scale;
          out[i + 1] = highValues[byte] * scale;
        }
      }
    },
  };
}
