import { byteOrder } from "./byte-level.ts";
import { o200kMerges } from "./data/o200k-merges.ts";
import type { MergeList } from "./tokenizer.ts";

/** o200k's merges in order of rank; see data/o200k-merges.ts for how they are written. */
export function o200kMergeList(): MergeList {
  const text = o200kMerges;
  const digitOf = new Uint8Array(128);
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (let i = 0; i < digits.length; i++) digitOf[digits.charCodeAt(i)] = i;

  const count = text.length / 6;
  const left = new Int32Array(count);
  const right = new Int32Array(count);
  const result = new Int32Array(count);
  const digit = (column: number, i: number): number => digitOf[text.charCodeAt(column * count + i)];
  for (let i = 0; i < count; i++) {
    left[i] = (digit(0, i) << 12) | (digit(1, i) << 6) | digit(2, i);
    right[i] = (digit(3, i) << 12) | (digit(4, i) << 6) | digit(5, i);
    result[i] = 256 + i;
  }
  return { left, right, result };
}

/** [256], the token of each single byte. */
export function o200kByteTokens(): Int32Array {
  const byteTokens = new Int32Array(256);
  for (const [rank, byte] of byteOrder.entries()) byteTokens[byte] = rank;
  return byteTokens;
}
