import fc from "fast-check";
import { expect, test } from "vitest";
import type { SequenceCache } from "../model/index.ts";
import { commonBlocks, type HashedTokens, hashTokens, startTheSame } from "./hashed-tokens.ts";
import { createPrefixCache } from "./prefix-cache.ts";

test("starts are compared as if token by token, though they are not read", () => {
  const tokens = fc.array(fc.integer({ min: 0, max: 2 }), { maxLength: 60 });
  fc.assert(
    fc.property(tokens, tokens, tokens, fc.constantFrom(1, 3, 8), (start, a, b, blockTokens) => {
      const [one, other] = [a, b].map((end) => hashTokens([...start, ...end], blockTokens));
      let same = 0;
      while (
        same < Math.min(one.tokens.length, other.tokens.length) &&
        one.tokens[same] === other.tokens[same]
      )
        same++;
      const blocks = Math.floor(same / blockTokens) * blockTokens;
      return (
        commonBlocks(one, other, blockTokens) === blocks &&
        startTheSame(one, other, blocks) &&
        (blocks + blockTokens > Math.min(one.tokens.length, other.tokens.length) ||
          !startTheSame(one, other, blocks + blockTokens))
      );
    }),
    { seed: 20261120, numRuns: 300 },
  );
});

test("tokens that grew after they were hashed are hashed to their end", () => {
  const growing = [1, 2, 3];
  const hashed = hashTokens(growing, 2);
  hashed.hashAt(2);
  growing.push(4, 5, 6);
  expect(hashed.hashAt(6)).toBe(hashTokens([1, 2, 3, 4, 5, 6], 2).hashAt(6));
});

/** Two starts of different tokens with one hash: the second token undoes what the first one changed. */
function collision(): [HashedTokens, HashedTokens] {
  const afterOne = (token: number): number => hashTokens([token], 1).hashAt(1);
  const other = afterOne(1) ^ 5 ^ afterOne(2);
  return [hashTokens([1, 5, 7, 7], 2), hashTokens([2, other, 7, 7], 2)];
}

test("a start is never taken for another, not even where their hashes are the same", () => {
  const [kept, wanted] = collision();
  expect(kept.hashAt(2)).toBe(wanted.hashAt(2));
  let forks = 0;
  const cache = { fork: () => forks++ as never, close() {} } as unknown as SequenceCache;
  const prefixes = createPrefixCache(4, 2);
  prefixes.keep({ source: kept, length: 2, cache });
  expect(prefixes.find(wanted).cache).toBeUndefined();
  expect(forks).toBe(0);
  prefixes.find(hashTokens([1, 5, 9], 2));
  expect(forks).toBe(1);
  prefixes.keep({ source: wanted, length: 2, cache });
  expect(prefixes.size).toBe(2);
});
