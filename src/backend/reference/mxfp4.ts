// The MXFP4 weights of a layer's experts, kept as the file stores them: 32 values share a scale, two values a byte.

import { mxfp4BlockBytes, mxfp4BlockValues, mxfp4Scale, mxfp4Values } from "../../base/index.ts";
import type { Experts, ExpertViews, Mxfp4View } from "../backend.ts";
import { type Dense, loadDense } from "./dense.ts";
import type { RowSource } from "./row-source.ts";
import { readStored } from "./stored-bytes.ts";

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
  /** Eight values a word: nibbles from the lowest to the highest. */
  readonly words: Int32Array;
  readonly scales: Uint8Array;
  readonly bytes: number;
}

async function loadMxfp4(view: Mxfp4View): Promise<Mxfp4> {
  const blocks = await readStored(view.blocks);
  const scales = await readStored(view.scales);
  return {
    words: new Int32Array(blocks.buffer, blocks.byteOffset, blocks.byteLength / 4),
    scales,
    bytes: blocks.byteLength + scales.byteLength,
  };
}

/**
 * `[256, 256]` by a scale's stored exponent and a byte of nibbles: the two f32 values, low nibble first, packed in one
 * f64, so that decoding a byte is one load and one store.
 */
const valuePairs = new Float64Array(256 * 256);
const valuesOfPairs = new Float32Array(valuePairs.buffer);
for (let i = 0; i < valuePairs.length; i++) {
  const scale = mxfp4Scale(i >> 8);
  valuesOfPairs[2 * i] = mxfp4Values[i & 15] * scale;
  valuesOfPairs[2 * i + 1] = mxfp4Values[(i >> 4) & 15] * scale;
}

const wordsPerBlock = mxfp4BlockBytes / 4;

function expertRows({ words, scales }: Mxfp4, expert: number, rows: number, cols: number): RowSource {
  const blocksPerRow = cols / mxfp4BlockValues;
  return {
    rows,
    cols,
    decodeRows(first, count, { pairs }) {
      const firstBlock = (expert * rows + first) * blocksPerRow;
      let out = 0;
      for (let block = firstBlock; block < firstBlock + count * blocksPerRow; block++) {
        const scale = scales[block] << 8;
        const start = block * wordsPerBlock;
        for (let at = start; at < start + wordsPerBlock; at++, out += 4) {
          const word = words[at];
          pairs[out] = valuePairs[scale | (word & 255)];
          pairs[out + 1] = valuePairs[scale | ((word >> 8) & 255)];
          pairs[out + 2] = valuePairs[scale | ((word >> 16) & 255)];
          pairs[out + 3] = valuePairs[scale | (word >>> 24)];
        }
      }
    },
  };
}
