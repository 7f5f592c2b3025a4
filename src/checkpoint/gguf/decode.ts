// ggml's quantised blocks → numbers. One function a storage type, each as ggml-quants.c's `dequantize_row_…` defines it;
// the k-quants, whose blocks are larger, are in decode-k-quants.ts.

import { mxfp4Values } from "../../base/index.ts";
import type { Measure } from "../numbers/rounding.ts";
import { narrowInto, widenInto } from "../numbers/rows.ts";
import { decodeIq4Xs, decodeQ2K, decodeQ3K, decodeQ4K, decodeQ5K, decodeQ6K } from "./decode-k-quants.ts";
import { type GgmlType, ggmlTypes } from "./format.ts";
import { halfAt } from "./half.ts";
import { iq4Values } from "./iq4-values.ts";

/** Decodes the block at `at` of `bytes` into `out` from `to` on. */
export type DecodeBlock = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/** Types that are stored one value at a time are not decoded: every backend reads them as they are. */
export type QuantizedType = Exclude<GgmlType, "F32" | "F16" | "BF16">;

/** The values of whole blocks. */
export function decodeBlocks(type: QuantizedType, bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const { values, bytes: blockBytes } = ggmlTypes[type];
  const blocks = bytes.length / blockBytes;
  const out = new Float32Array(blocks * values);
  const decode = decoders[type];
  for (let block = 0; block < blocks; block++) decode(bytes, block * blockBytes, out, block * values);
  return out;
}

/** Blocks that are rounded together. */
const blocksAtOnce = 16;

/** The same rounded to BF16, a few blocks at a time, so that the exact values never leave the cache. */
export function decodeBlocksToBf16(
  type: QuantizedType,
  bytes: Uint8Array,
  measure?: Measure,
): Uint16Array<ArrayBuffer> {
  const { values, bytes: blockBytes } = ggmlTypes[type];
  const blocks = bytes.length / blockBytes;
  const out = new Uint16Array(blocks * values);
  const exact = new Float32Array(blocksAtOnce * values);
  const rounded = new Float32Array(measure ? exact.length : 0);
  const decode = decoders[type];
  for (let first = 0; first < blocks; first += blocksAtOnce) {
    const count = Math.min(blocksAtOnce, blocks - first);
    for (let i = 0; i < count; i++) decode(bytes, (first + i) * blockBytes, exact, i * values);
    const part = exact.subarray(0, count * values);
    narrowInto(new Uint32Array(exact.buffer, 0, part.length), out, first * values);
    if (!measure) continue;
    widenInto(out, first * values, rounded);
    measure.add(part, rounded);
  }
  return out;
}

export const isQuantized = (type: GgmlType): type is QuantizedType => ggmlTypes[type].values > 1;

const decodeQ40: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 2 + i];
    out[to + i] = scale * ((pair & 15) - 8);
    out[to + 16 + i] = scale * ((pair >> 4) - 8);
  }
};

const decodeQ41: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  const least = halfAt(bytes, at + 2);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 4 + i];
    out[to + i] = scale * (pair & 15) + least;
    out[to + 16 + i] = scale * (pair >> 4) + least;
  }
};

/** The fifth bits of 32 values lie together, in front of the other four. */
function decodeFiveBits(
  bytes: Uint8Array,
  at: number,
  write: (i: number, low: number, high: number) => void,
): void {
  const fifth = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 4 + i];
    write(i, (pair & 15) | (((fifth >> i) & 1) << 4), (pair >> 4) | (((fifth >> (i + 16)) & 1) << 4));
  }
}

const decodeQ50: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  decodeFiveBits(bytes, at + 2, (i, low, high) => {
    out[to + i] = scale * (low - 16);
    out[to + 16 + i] = scale * (high - 16);
  });
};

const decodeQ51: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  const least = halfAt(bytes, at + 2);
  decodeFiveBits(bytes, at + 4, (i, low, high) => {
    out[to + i] = scale * low + least;
    out[to + 16 + i] = scale * high + least;
  });
};

const decodeQ80: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  for (let i = 0; i < 32; i++) out[to + i] = scale * ((bytes[at + 2 + i] << 24) >> 24);
};

const decodeIq4Nl: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 2 + i];
    out[to + i] = scale * iq4Values[pair & 15];
    out[to + 16 + i] = scale * iq4Values[pair >> 4];
  }
};

const decodeMxfp4: DecodeBlock = (bytes, at, out, to) => {
  const scale = 2 ** (bytes[at] - 127);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 1 + i];
    out[to + i] = scale * mxfp4Values[pair & 15];
    out[to + 16 + i] = scale * mxfp4Values[pair >> 4];
  }
};

const decodeMxfp4InOrder: DecodeBlock = (bytes, at, out, to) => {
  const scale = 2 ** (bytes[at] - 127);
  for (let i = 0; i < 16; i++) {
    const pair = bytes[at + 1 + i];
    out[to + 2 * i] = scale * mxfp4Values[pair & 15];
    out[to + 2 * i + 1] = scale * mxfp4Values[pair >> 4];
  }
};

const decoders: Readonly<Record<QuantizedType, DecodeBlock>> = {
  Q4_0: decodeQ40,
  Q4_1: decodeQ41,
  Q5_0: decodeQ50,
  Q5_1: decodeQ51,
  Q8_0: decodeQ80,
  Q2_K: decodeQ2K,
  Q3_K: decodeQ3K,
  Q4_K: decodeQ4K,
  Q5_K: decodeQ5K,
  Q6_K: decodeQ6K,
  IQ4_NL: decodeIq4Nl,
  IQ4_XS: decodeIq4Xs,
  MXFP4: decodeMxfp4,
  MXFP4_OLLAMA: decodeMxfp4InOrder,
};
