// Byte-pair merging of one piece: while some two neighbours have a merge, apply the earliest merge in the list, leftmost
// first. Two ways to the same tokens: a scan for short pieces, a heap for long ones, so that a megabyte of one letter
// costs n log n.

import { type MergeLookup, mergeLookup } from "./hash.ts";
import { minHeap } from "./heap.ts";
import type { MergeList } from "./tokenizer.ts";

/** Appends the tokens of the piece `bytes[start, end)` to `tokens`. */
export type PieceMerger = (bytes: Uint8Array, start: number, end: number, tokens: number[]) => void;

/** Above this a heap is faster than scanning for the lowest merge. */
const maxScannedBytes = 64;

const noMerge = 0x7fffffff;

/** `byteTokens`: [256], the token of each single byte. */
export function pieceMerger(byteTokens: Int32Array, merges: MergeList): PieceMerger {
  const find = mergeLookup(merges.left, merges.right);
  const scan = scanningMerger(byteTokens, merges, find);
  const heap = heapMerger(byteTokens, merges, find);
  return (bytes, start, end, tokens) =>
    end - start <= maxScannedBytes ? scan(bytes, start, end, tokens) : heap(bytes, start, end, tokens);
}

export function scanningMerger(byteTokens: Int32Array, merges: MergeList, find: MergeLookup): PieceMerger {
  const symbols = new Int32Array(maxScannedBytes + 1);
  // ranks[i] is the merge of symbols i and i + 1.
  const ranks = new Int32Array(maxScannedBytes + 1);
  const rankOf = (left: number, right: number): number => {
    const merge = find(left, right);
    return merge < 0 ? noMerge : merge;
  };
  // Every piece begins with the merges of its bytes: a table spares half of the lookups.
  const rankOfBytes = new Int32Array(256 * 256);
  for (let i = 0; i < rankOfBytes.length; i++)
    rankOfBytes[i] = rankOf(byteTokens[i >> 8], byteTokens[i & 255]);

  const { result } = merges;

  return (bytes, start, end, tokens) => {
    let count = end - start;
    let best = 0;
    let rank = noMerge;
    for (let i = 0; i < count; i++) {
      const byte = bytes[start + i];
      symbols[i] = byteTokens[byte];
      const own = i + 1 < count ? rankOfBytes[(byte << 8) | bytes[start + i + 1]] : noMerge;
      ranks[i] = own;
      if (own < rank) {
        rank = own;
        best = i;
      }
    }
    while (rank !== noMerge) {
      // Merge, close the gap, and look for the next merge, all in one pass.
      const at = best;
      const symbol = result[rank];
      symbols[at] = symbol;
      count--;
      if (at > 0) ranks[at - 1] = rankOf(symbols[at - 1], symbol);
      ranks[at] = at + 1 < count ? rankOf(symbol, symbols[at + 2]) : noMerge;
      rank = noMerge;
      for (let i = 0; i <= at; i++) {
        const own = ranks[i];
        if (own < rank) {
          rank = own;
          best = i;
        }
      }
      for (let i = at + 1; i < count; i++) {
        symbols[i] = symbols[i + 1];
        const own = ranks[i + 1];
        ranks[i] = own;
        if (own < rank) {
          rank = own;
          best = i;
        }
      }
    }
    for (let i = 0; i < count; i++) tokens.push(symbols[i]);
  };
}

/** Pieces up to this long share their working memory; a longer one gives its own back. */
const maxKeptBytes = 4096;

export function heapMerger(byteTokens: Int32Array, merges: MergeList, find: MergeLookup): PieceMerger {
  const kept = pieceMemory(maxKeptBytes);
  return (bytes, start, end, tokens) => {
    const count = end - start;
    const memory = count <= maxKeptBytes ? kept : pieceMemory(count);
    const { symbols, next, previous, ranks, heap } = memory;

    const rank = (i: number): void => {
      const merge = next[i] < count ? find(symbols[i], symbols[next[i]]) : -1;
      ranks[i] = merge < 0 ? noMerge : merge;
      if (merge >= 0) heap.push(merge * positions + i);
    };

    for (let i = 0; i < count; i++) {
      symbols[i] = byteTokens[bytes[start + i]];
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    heap.clear();
    for (let i = 0; i < count; i++) rank(i);
    for (let key = heap.pop(); key !== undefined; key = heap.pop()) {
      const merge = Math.floor(key / positions);
      const i = key - merge * positions;
      // A symbol that has changed since has another merge by now: symbols only grow.
      if (ranks[i] !== merge) continue;
      const gone = next[i];
      ranks[gone] = noMerge;
      symbols[i] = merges.result[merge];
      next[i] = next[gone];
      if (next[i] < count) previous[next[i]] = i;
      rank(i);
      if (previous[i] >= 0) rank(previous[i]);
    }
    for (let i = 0; i < count; i = next[i]) tokens.push(symbols[i]);
  };
}

/** A heap key is merge * positions + position: a string has fewer positions, and the product stays exact. */
const positions = 2 ** 31;

function pieceMemory(length: number) {
  return {
    symbols: new Int32Array(length),
    next: new Int32Array(length),
    previous: new Int32Array(length),
    ranks: new Int32Array(length),
    // One key per neighbouring pair, and each merge takes one key and adds two.
    heap: minHeap(2 * length),
  };
}
