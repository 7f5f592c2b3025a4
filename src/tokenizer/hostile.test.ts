// Inputs that make tokenizers hang: regular expressions that backtrack, and merging that is quadratic in the length of
// one piece.

import { get_encoding } from "tiktoken";
import { describe, expect, test } from "vitest";
import { heapMerger } from "./bpe.ts";
import { mergeLookup } from "./hash.ts";
import { o200kHarmony } from "./index.ts";
import { o200kByteTokens } from "./o200k-merge-list.ts";
import type { Splitter } from "./split.ts";
import { cl100kSplitter, gpt2Splitter } from "./split-earlier.ts";
import { o200kSplitter } from "./split-o200k.ts";

const tokenizer = o200kHarmony();
const tiktoken = get_encoding("o200k_base");
const byteTokens = o200kByteTokens();
const { merges } = tokenizer;
const find = mergeLookup(merges.left, merges.right);

const units: readonly (readonly [string, string])[] = [
  ["one letter", "a"],
  ["capitals after an ideograph", "漢AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
  ["spaces", " "],
  ["newlines", "\n"],
  ["digits", "7"],
  ["an emoji", "🎉"],
  ["a family joined by ZWJ", "👨‍👩‍👧‍👦"],
  ["combining marks", "\u0301"],
  ["punctuation", "!"],
  ["apostrophes", "'"],
  ["alternating letters", "ab"],
  ["a letter and a mark", "a\u0301"],
  ["ideographs", "漢字"],
  ["lone surrogates", "\ud800"],
];

const repeated = (unit: string, length: number): string => unit.repeat(Math.ceil(length / unit.length));

test.each(["a", " ", "7", "🎉", "ab", "漢字"])("a megabyte of %j comes back", (unit) => {
  const text = repeated(unit, 1_000_000);
  expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
});

describe.each(units)("%s", (_, unit) => {
  test("two thousand characters are tiktoken's tokens", () => {
    const text = repeated(unit, 2000);
    expect(tokenizer.encode(text)).toEqual([...tiktoken.encode_ordinary(text)]);
  });

  test("the work grows with the length", () => {
    // Counted, not timed: a busy machine changes no count.
    for (const work of [
      bytesRead(o200kSplitter()),
      bytesRead(cl100kSplitter({ maxDigits: 3 })),
      bytesRead(gpt2Splitter()),
      mergesLookedUp,
    ]) {
      const short = Buffer.from(repeated(unit, 1000));
      const long = Buffer.from(repeated(unit, 8000));
      expect(work(long) / long.length).toBeLessThan(1.2 * (work(short) / short.length));
    }
  });
});

type Work = (text: Uint8Array) => number;

/** How often a scanner looks at a byte. */
function bytesRead(splitter: Splitter): Work {
  return (text) => {
    let reads = 0;
    const counted = new Proxy(text, {
      get: (target, key) => {
        reads++;
        return target[key as unknown as number];
      },
    });
    for (let start = 0; start < text.length; ) start = splitter(counted, start, text.length);
    return reads;
  };
}

/** How often the heap's merger looks up a merge; it pushes at most one key for each, so its cost is this times log n. */
const mergesLookedUp: Work = (text) => {
  let lookups = 0;
  const counted = (left: number, right: number): number => {
    lookups++;
    return find(left, right);
  };
  heapMerger(byteTokens, merges, counted)(text, 0, text.length, []);
  return lookups;
};
