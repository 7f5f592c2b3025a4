// Two hash tables without objects: from the bytes of a piece to its token, and from two neighbouring tokens to their
// merge. Open addressing in typed arrays; a slot holds an index plus one, zero is empty.

import type { TokenBytes } from "./token-bytes.ts";

/** At most half full, so that probes stay short. */
function slotCount(entries: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2 * entries, 2)));
}

/** The token whose bytes are exactly `bytes[start, end)`, or -1. */
export type PieceLookup = (bytes: Uint8Array, start: number, end: number) => number;

/** Finds only tokens whose `isPiece` is not 0. */
export function pieceLookup(tokens: TokenBytes, isPiece: Uint8Array): PieceLookup {
  const { blob, offsets, size } = tokens;
  const slots = new Int32Array(slotCount(size));
  const mask = slots.length - 1;
  let longest = 0;
  const insert = (id: number): void => {
    const start = offsets[id];
    const end = offsets[id + 1];
    if (end - start > longest) longest = end - start;
    let slot = hashBytes(blob, start, end) & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = id + 1;
  };
  for (let id = 0; id < size; id++) if (isPiece[id] !== 0 && offsets[id + 1] > offsets[id]) insert(id);

  return (bytes, start, end) => {
    const length = end - start;
    if (length > longest) return -1;
    let slot = hashBytes(bytes, start, end) & mask;
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      const from = offsets[entry - 1];
      if (offsets[entry] - from === length) {
        let i = 0;
        while (i < length && blob[from + i] === bytes[start + i]) i++;
        if (i === length) return entry - 1;
      }
      slot = (slot + 1) & mask;
    }
    return -1;
  };
}

/** FNV-1a over the bytes, then a final mix because the table uses the low bits. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash ^ (hash >>> 15);
}

/** The index of the merge of two tokens, or -1. A pair listed twice has its last index. */
export type MergeLookup = (left: number, right: number) => number;

export function mergeLookup(left: Int32Array, right: Int32Array): MergeLookup {
  const slots = new Int32Array(slotCount(left.length));
  const mask = slots.length - 1;

  const slotOf = (leftId: number, rightId: number): number => {
    const hash = Math.imul(Math.imul(leftId, 0x9e3779b1) ^ rightId, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      if (left[entry - 1] === leftId && right[entry - 1] === rightId) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  };

  for (let i = 0; i < left.length; i++) slots[slotOf(left[i], right[i])] = i + 1;
  return (leftId, rightId) => slots[slotOf(leftId, rightId)] - 1;
}
