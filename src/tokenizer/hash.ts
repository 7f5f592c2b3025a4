// Two hash tables without objects: from the bytes of a piece to its token, and from two neighbouring tokens to their
// merge. Open addressing in typed arrays. A slot holds an index plus one (zero is empty) in its low bits and the upper
// bits of the entry's hash above them, so that most entries of other keys are passed over without being read.

import type { TokenBytes } from "./token-bytes.ts";

/** The token whose bytes are exactly `bytes[start, end)`, or -1. */
export type PieceLookup = (bytes: Uint8Array, start: number, end: number) => number;

/** Finds only tokens whose `isPiece` is not 0. */
export function pieceLookup(tokens: TokenBytes, isPiece: Uint8Array): PieceLookup {
  const { blob, offsets, size } = tokens;
  const { slots, slotMask, indexMask } = emptySlots(size);
  let longest = 0;
  const insert = (id: number): void => {
    const start = offsets[id];
    const end = offsets[id + 1];
    if (end - start > longest) longest = end - start;
    const hash = hashBytes(blob, start, end);
    let slot = hash & slotMask;
    while (slots[slot] !== 0) slot = (slot + 1) & slotMask;
    slots[slot] = (hash & ~indexMask) | (id + 1);
  };
  for (let id = 0; id < size; id++) if (isPiece[id] !== 0 && offsets[id + 1] > offsets[id]) insert(id);

  return (bytes, start, end) => {
    const length = end - start;
    if (length > longest) return -1;
    const hash = hashBytes(bytes, start, end);
    let slot = hash & slotMask;
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      if (((entry ^ hash) & ~indexMask) === 0) {
        const id = (entry & indexMask) - 1;
        const from = offsets[id];
        if (offsets[id + 1] - from === length) {
          let i = 0;
          while (i < length && blob[from + i] === bytes[start + i]) i++;
          if (i === length) return id;
        }
      }
      slot = (slot + 1) & slotMask;
    }
    return -1;
  };
}

/** The index of the merge of two tokens, or -1. A pair listed twice has its last index. */
export type MergeLookup = (left: number, right: number) => number;

export function mergeLookup(left: Int32Array, right: Int32Array): MergeLookup {
  const { slots, slotMask, indexMask } = emptySlots(left.length);
  const insert = (index: number): void => {
    const hash = hashPair(left[index], right[index]);
    let slot = hash & slotMask;
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      const other = (entry & indexMask) - 1;
      if (left[other] === left[index] && right[other] === right[index]) break;
      slot = (slot + 1) & slotMask;
    }
    slots[slot] = (hash & ~indexMask) | (index + 1);
  };
  for (let index = 0; index < left.length; index++) insert(index);

  return (leftId, rightId) => {
    const hash = hashPair(leftId, rightId);
    let slot = hash & slotMask;
    for (let entry = slots[slot]; entry !== 0; entry = slots[slot]) {
      if (((entry ^ hash) & ~indexMask) === 0) {
        const index = (entry & indexMask) - 1;
        if (left[index] === leftId && right[index] === rightId) return index;
      }
      slot = (slot + 1) & slotMask;
    }
    return -1;
  };
}

function emptySlots(entries: number) {
  // At most half full, so that probes stay short.
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(2 * entries, 2))));
  const indexBits = Math.ceil(Math.log2(entries + 2));
  return { slots, slotMask: slots.length - 1, indexMask: 2 ** indexBits - 1 };
}

/** FNV-1a over the bytes, then a mix, because the lowest bits choose the slot. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return hash ^ (hash >>> 15);
}

function hashPair(left: number, right: number): number {
  const hash = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b);
  return hash ^ (hash >>> 15);
}
