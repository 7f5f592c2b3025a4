// The vocabulary of gpt-oss, built in: o200k's merges and the special tokens that harmony adds to them.

import { byteOrder } from "./byte-level.ts";
import { createTokenizer } from "./create-tokenizer.ts";
import { o200kByteTokens, o200kMergeList } from "./o200k-merge-list.ts";
import { o200kSplitter } from "./split-o200k.ts";
import type { TokenBytes } from "./token-bytes.ts";
import type { MergeList, Tokenizer } from "./tokenizer.ts";

const vocabularySize = 201_088;
const firstSpecial = 199_998;

const named: Readonly<Record<number, string>> = {
  199998: "startoftext",
  199999: "endoftext",
  200002: "return",
  200003: "constrain",
  200005: "channel",
  200006: "start",
  200007: "end",
  200008: "message",
  200012: "call",
  200018: "endofprompt",
};

let tokenizer: Tokenizer | undefined;

/**
 * OpenAI's o200k_harmony, the tokenizer of gpt-oss. The first call builds its tables (tens of milliseconds, about
 * 12 MB); later calls return the same object.
 *
 * @example
 * const tokenizer = o200kHarmony();
 * tokenizer.decode(tokenizer.encode("Hello, world")); // "Hello, world"
 */
export function o200kHarmony(): Tokenizer {
  if (tokenizer) return tokenizer;
  const merges = o200kMergeList();
  const special = new Map<number, string>();
  for (let id = firstSpecial; id < vocabularySize; id++)
    special.set(id, `<|${named[id] ?? `reserved_${id}`}|>`);

  tokenizer = createTokenizer({
    tokens: layOut(merges, special),
    byteTokens: o200kByteTokens(),
    merges,
    special,
    ordinaryAdded: new Map(),
    splitter: o200kSplitter(),
    wholePiecesFirst: true,
  });
  return tokenizer;
}

/** The bytes of every token: a merge is its left side, then its right side, both earlier. */
function layOut(merges: MergeList, special: ReadonlyMap<number, string>): TokenBytes {
  const offsets = new Uint32Array(vocabularySize + 1);
  for (let id = 0; id < 256; id++) offsets[id + 1] = id + 1;
  const lengthOf = (id: number): number => offsets[id + 1] - offsets[id];
  const measure = (id: number): void => {
    offsets[id + 1] = offsets[id] + lengthOf(merges.left[id - 256]) + lengthOf(merges.right[id - 256]);
  };
  for (let id = 256; id < firstSpecial; id++) measure(id);
  for (const [id, text] of special) offsets[id + 1] = offsets[id] + text.length; // special texts are ASCII

  const blob = new Uint8Array(offsets[vocabularySize]);
  // Tokens are a few bytes long, where a loop beats the built-in copyWithin.
  const copy = (id: number, target: number): number => {
    const start = offsets[id];
    const length = offsets[id + 1] - start;
    for (let i = 0; i < length; i++) blob[target + i] = blob[start + i];
    return target + length;
  };
  const fill = (id: number): void => {
    copy(merges.right[id - 256], copy(merges.left[id - 256], offsets[id]));
  };
  blob.set(byteOrder);
  for (let id = 256; id < firstSpecial; id++) fill(id);
  blob.set(new TextEncoder().encode([...special.values()].join("")), offsets[firstSpecial]);
  return { size: vocabularySize, blob, offsets };
}
