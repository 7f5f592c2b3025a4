// Tokens whose starts can be compared without reading them: a start of whole blocks has a 32-bit number, the same for
// the same tokens. Prompts are long and much alike, and every one is compared with all that is kept.

export interface HashedTokens {
  /** Grows at its end only. */
  readonly tokens: readonly number[];
  /** Of the first `length` tokens, a multiple of the block size. Starts that differ share a number once in 2³². */
  hashAt(length: number): number;
}

export function hashTokens(tokens: readonly number[], blockTokens: number): HashedTokens {
  const hashes = [0];
  return {
    tokens,
    hashAt(length) {
      for (let start = (hashes.length - 1) * blockTokens; start < length; start += blockTokens) {
        let hash = hashes[hashes.length - 1];
        for (let at = start; at < start + blockTokens; at++) {
          hash = Math.imul(hash ^ tokens[at], 0x9e3779b1); // the golden ratio's bits
          hash ^= hash >>> 15;
        }
        hashes.push(hash);
      }
      return hashes[length / blockTokens];
    },
  };
}

/** How many tokens at the start are the same, in whole blocks, as far as hashes can tell. */
export function commonBlocks(a: HashedTokens, b: HashedTokens, blockTokens: number): number {
  let same = 0;
  let different = Math.floor(Math.min(a.tokens.length, b.tokens.length) / blockTokens) + 1;
  while (different - same > 1) {
    const middle = (same + different) >> 1;
    if (a.hashAt(middle * blockTokens) === b.hashAt(middle * blockTokens)) same = middle;
    else different = middle;
  }
  return same * blockTokens;
}

/** Whether the first `length` tokens are the same, read one by one unless the hashes differ. */
export function startTheSame(a: HashedTokens, b: HashedTokens, length: number): boolean {
  if (a.hashAt(length) !== b.hashAt(length)) return false;
  for (let at = 0; at < length; at++) if (a.tokens[at] !== b.tokens[at]) return false;
  return true;
}
