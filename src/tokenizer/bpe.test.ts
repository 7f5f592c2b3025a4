import fc from "fast-check";
import { expect, test } from "vitest";
import { heapMerger, scanningMerger } from "./bpe.ts";
import { mergeLookup } from "./hash.ts";
import { sameIds } from "./testing/text.ts";
import type { MergeList } from "./tokenizer.ts";

// A small random vocabulary: bytes 0..3, and merges of any two tokens made so far, so that pairs overlap a lot.
const mergeList: fc.Arbitrary<MergeList> = fc
  .array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 40 })
  .map((picks) => {
    const pairs = picks.map(([a, b], i) => [a % (4 + i), b % (4 + i)] as const);
    return {
      left: Int32Array.from(pairs, ([left]) => left),
      right: Int32Array.from(pairs, ([, right]) => right),
      result: Int32Array.from(pairs, (_, i) => 4 + i),
    };
  });

const byteTokens = Int32Array.from({ length: 256 }, (_, byte) => byte % 4);

/** The definition, word for word: the earliest merge in the list that applies, leftmost first. */
function merged(bytes: Uint8Array, merges: MergeList): number[] {
  const symbols = Array.from(bytes, (byte) => byteTokens[byte]);
  // Of a pair that is listed twice, the last entry counts.
  const isShadowed = Array.from(merges.left, (left, i) =>
    merges.left.some((other, j) => j > i && other === left && merges.right[j] === merges.right[i]),
  );
  for (let i = 0; i < merges.left.length; ) {
    const at = symbols.findIndex(
      (symbol, k) => symbol === merges.left[i] && symbols[k + 1] === merges.right[i] && !isShadowed[i],
    );
    if (at < 0) {
      i++;
      continue;
    }
    symbols.splice(at, 2, merges.result[i]);
    i = 0;
  }
  return symbols;
}

test("scanning, the heap and the definition merge alike", () => {
  fc.assert(
    fc.property(mergeList, fc.uint8Array({ maxLength: 64, size: "max" }), (merges, bytes) => {
      const find = mergeLookup(merges.left, merges.right);
      const expected = merged(bytes, merges);
      return [scanningMerger, heapMerger].every((merger) => {
        const tokens: number[] = [];
        merger(byteTokens, merges, find)(bytes, 0, bytes.length, tokens);
        return sameIds(tokens, expected);
      });
    }),
    { seed: 1, numRuns: 1000 },
  );
});

test("the heap keeps no trace of the piece before", () => {
  const merges: MergeList = {
    left: Int32Array.of(0, 4),
    right: Int32Array.of(0, 4),
    result: Int32Array.of(4, 5),
  };
  const merge = heapMerger(byteTokens, merges, mergeLookup(merges.left, merges.right));
  const run = (length: number): number[] => {
    const tokens: number[] = [];
    merge(new Uint8Array(length), 0, length, tokens);
    return tokens;
  };
  expect(run(5000)).toEqual(new Array(1250).fill(5));
  expect(run(7)).toEqual([5, 4, 0]);
  expect(run(3)).toEqual([4, 0]);
});
