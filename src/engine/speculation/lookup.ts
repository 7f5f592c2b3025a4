// What may come next, by looking it up: where the sequence ended like this before, it went on with these tokens. Right
// where a text repeats itself or its prompt (edits, quotations, code, calls), and free of a second model.

export interface Lookup {
  /** Up to `count` tokens that followed when the tokens last ended as they do now. The list may only have grown. */
  guess(tokens: readonly number[], count: number): number[];
}

/** Longest first: more tokens in common tell more. */
const gramLengths = [8, 3];

/** `maxTokens`: how long the sequence may become. */
export function createLookup(maxTokens: number): Lookup {
  const indexes = gramLengths.map((length) => createGramIndex(length, maxTokens));
  return {
    guess(tokens, count) {
      for (const index of indexes) index.extend(tokens);
      for (const index of indexes) {
        const next = index.find(tokens);
        if (next !== undefined) return continueFrom(tokens, next, count);
      }
      return [];
    },
  };
}

/** The tokens from `next` on; where they reach the end, the text is a loop and goes on with the guesses themselves. */
function continueFrom(tokens: readonly number[], next: number, count: number): number[] {
  const guesses: number[] = [];
  for (let at = next; guesses.length < count; at++) guesses.push(tokens[at] ?? guesses[at - tokens.length]);
  return guesses;
}

const maxBuckets = 2 ** 16;

/** Where each run of `length` tokens last ended. A table of hashes: a later run may hide an earlier one. */
function createGramIndex(length: number, maxTokens: number) {
  const buckets = 2 ** Math.ceil(Math.log2(Math.min(maxTokens + 2, maxBuckets)));
  /** The position after the run; 0 where there is none. */
  const ends = new Int32Array(buckets);
  let indexed = length;

  function bucketOf(tokens: readonly number[], end: number): number {
    let hash = 0;
    for (let at = end - length; at < end; at++) hash = Math.imul(hash ^ tokens[at], 0x9e3779b1);
    return (hash ^ (hash >>> 16)) & (buckets - 1);
  }

  function isSame(tokens: readonly number[], end: number, other: number): boolean {
    for (let back = 1; back <= length; back++) if (tokens[end - back] !== tokens[other - back]) return false;
    return true;
  }

  return {
    /** All runs but the last, which would only find itself. */
    extend(tokens: readonly number[]): void {
      for (; indexed < tokens.length; indexed++) ends[bucketOf(tokens, indexed)] = indexed;
    },
    find(tokens: readonly number[]): number | undefined {
      if (tokens.length < length) return undefined;
      const end = ends[bucketOf(tokens, tokens.length)];
      return end > 0 && isSame(tokens, tokens.length, end) ? end : undefined;
    },
  };
}
