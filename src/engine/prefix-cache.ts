// The starts of earlier sequences, kept in the key-value cache so that a conversation does not run its past again.
// What is kept is a fork of a sequence: references to its blocks, on sliding layers to those of the last window only,
// so that it can be continued exactly where it was taken and nowhere else. Bounded by the cache's own memory: it never
// grows, whatever runs takes precedence, and the least recently used goes first. Never decides what is worth keeping.

import type { SequenceCache } from "../model/index.ts";

/** The first `length` of `tokens`. */
export interface Prefix {
  /** Of the sequence that it was taken from, which may have grown since. */
  readonly tokens: readonly number[];
  readonly length: number;
  /** A sequence of just this length; belongs to the prefix. */
  readonly cache: SequenceCache;
}

export interface PrefixMatch {
  /** A new sequence that holds the longest kept start of the tokens; `undefined` when none is. */
  readonly cache: SequenceCache | undefined;
  /** How many of the tokens came before, kept or not, as far as what is kept can tell. */
  readonly common: number;
}

export interface PrefixCache {
  readonly size: number;
  /** Looks for starts shorter than `tokens`: at least one token must run to give logits. */
  find(tokens: readonly number[]): PrefixMatch;
  /** Takes the prefix over. */
  keep(prefix: Prefix): void;
  /** Lets go of the least recently used; false when there is none. */
  evict(): boolean;
}

export function createPrefixCache(capacity: number): PrefixCache {
  /** Least recently used first. */
  const kept: Prefix[] = [];

  function evict(): boolean {
    const oldest = kept.shift();
    oldest?.cache.close();
    return oldest !== undefined;
  }

  function touch(prefix: Prefix): void {
    kept.splice(kept.indexOf(prefix), 1);
    kept.push(prefix);
  }

  return {
    get size() {
      return kept.length;
    },
    find(tokens) {
      let common = 0;
      let best: Prefix | undefined;
      for (const prefix of kept) {
        const agreed = Math.min(commonLength(tokens, prefix.tokens), prefix.length);
        common = Math.max(common, agreed);
        const isStart = agreed === prefix.length && agreed < tokens.length;
        if (isStart && prefix.length > (best?.length ?? 0)) best = prefix;
      }
      if (best !== undefined) touch(best);
      return { cache: best?.cache.fork(best.length), common };
    },
    keep(prefix) {
      const same = kept.find(
        ({ tokens, length }) => length === prefix.length && commonLength(prefix.tokens, tokens) >= length,
      );
      if (same !== undefined) {
        touch(same);
        prefix.cache.close();
        return;
      }
      kept.push(prefix);
      if (kept.length > capacity) evict();
    },
    evict,
  };
}

/** How many tokens at the start are the same. */
export function commonLength(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length);
  let length = 0;
  while (length < end && a[length] === b[length]) length++;
  return length;
}
