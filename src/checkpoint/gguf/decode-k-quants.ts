// Blocks of 256 values in which smaller groups have scales of their own, which are quantised in turn. Each function is
// ggml-quants.c's `dequantize_row_…`; in gpt-oss files only matrices whose rows are a multiple of 256 are stored so.

import type { DecodeBlock } from "./decode.ts";
import { halfAt } from "./half.ts";
import { iq4Values } from "./iq4-values.ts";

/** Scales and mins of 4 bits, then 2-bit values, then the scales of both. */
export const decodeQ2K: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at + 80);
  const least = halfAt(bytes, at + 82);
  for (let group = 0; group < 16; group++) {
    const both = bytes[at + group];
    const step = scale * (both & 15);
    const offset = least * (both >> 4);
    const shift = 2 * ((group >> 1) & 3);
    const first = at + 16 + 32 * (group >> 3) + 16 * (group & 1);
    for (let i = 0; i < 16; i++) out[to + 16 * group + i] = step * ((bytes[first + i] >> shift) & 3) - offset;
  }
};

/** High bits of all values, then their low two, then 6-bit scales, then the scales' own. */
export const decodeQ3K: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at + 108);
  const scales = at + 96;
  for (let group = 0; group < 16; group++) {
    const low = group < 8 ? bytes[scales + group] & 15 : bytes[scales + group - 8] >> 4;
    const high = (bytes[scales + 8 + (group & 3)] >> (2 * (group >> 2))) & 3;
    const step = scale * ((low | (high << 4)) - 32);
    const shift = 2 * ((group >> 1) & 3);
    const within = 16 * (group & 1);
    const first = at + 32 + 32 * (group >> 3) + within;
    const highBit = group >> 1;
    for (let i = 0; i < 16; i++) {
      const isHigh = (bytes[at + within + i] >> highBit) & 1;
      out[to + 16 * group + i] = step * (((bytes[first + i] >> shift) & 3) - 4 + 4 * isHigh);
    }
  }
};

/** Scale and min of group `j`, 6 bits each, as Q4_K and Q5_K pack them into 12 bytes. */
const scaleOf = (bytes: Uint8Array, at: number, j: number): number =>
  j < 4 ? bytes[at + j] & 63 : (bytes[at + j + 4] & 15) | ((bytes[at + j - 4] >> 6) << 4);
const leastOf = (bytes: Uint8Array, at: number, j: number): number =>
  j < 4 ? bytes[at + j + 4] & 63 : (bytes[at + j + 4] >> 4) | ((bytes[at + j] >> 6) << 4);

export const decodeQ4K: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  const least = halfAt(bytes, at + 2);
  for (let group = 0; group < 8; group++) {
    const step = scale * scaleOf(bytes, at + 4, group);
    const offset = least * leastOf(bytes, at + 4, group);
    const first = at + 16 + 32 * (group >> 1);
    const shift = 4 * (group & 1);
    for (let i = 0; i < 32; i++)
      out[to + 32 * group + i] = step * ((bytes[first + i] >> shift) & 15) - offset;
  }
};

/** As Q4_K, with the fifth bits of all values in front. */
export const decodeQ5K: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  const least = halfAt(bytes, at + 2);
  for (let group = 0; group < 8; group++) {
    const step = scale * scaleOf(bytes, at + 4, group);
    const offset = least * leastOf(bytes, at + 4, group);
    const first = at + 48 + 32 * (group >> 1);
    const shift = 4 * (group & 1);
    for (let i = 0; i < 32; i++) {
      const fifth = ((bytes[at + 16 + i] >> group) & 1) << 4;
      out[to + 32 * group + i] = step * (((bytes[first + i] >> shift) & 15) | fifth) - offset;
    }
  }
};

/** Low four bits, high two bits, 8-bit scales of 16 values each, and their scale. */
export const decodeQ6K: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at + 208);
  for (let group = 0; group < 16; group++) {
    const step = scale * ((bytes[at + 192 + group] << 24) >> 24);
    const quarter = (group >> 1) & 3; // which 32 of its 128 values
    const within = 16 * (group & 1);
    const low = at + 64 * (group >> 3) + 32 * (quarter & 1) + within;
    const high = at + 128 + 32 * (group >> 3) + within;
    const shift = 4 * (quarter >> 1);
    for (let i = 0; i < 16; i++) {
      const bits = ((bytes[low + i] >> shift) & 15) | (((bytes[high + i] >> (2 * quarter)) & 3) << 4);
      out[to + 16 * group + i] = step * (bits - 32);
    }
  }
};

/** IQ4_NL's values with 6-bit scales. */
export const decodeIq4Xs: DecodeBlock = (bytes, at, out, to) => {
  const scale = halfAt(bytes, at);
  const highs = bytes[at + 2] | (bytes[at + 3] << 8);
  for (let group = 0; group < 8; group++) {
    const low = (bytes[at + 4 + (group >> 1)] >> (4 * (group & 1))) & 15;
    const step = scale * ((low | (((highs >> (2 * group)) & 3) << 4)) - 32);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + 16 * group + i];
      out[to + 32 * group + i] = step * iq4Values[pair & 15];
      out[to + 32 * group + 16 + i] = step * iq4Values[pair >> 4];
    }
  }
};
