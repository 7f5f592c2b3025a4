// The starts of earlier sequences, kept in the key-value cache so that a conversation does not run its past again.
// What is kept is a fork of a sequence: references to its blocks, on sliding layers to those of the last window only,
// so that it can be continued exactly where it was taken and nowhere else. Bounded by the cache's own memory: it never
// grows, whatever runs takes precedence, and the least recently used goes first. Never decides what is worth keeping.

import type { SequenceCache } from "../model/index.ts";
import { commonBlocks, type HashedTokens, startTheSame } from "./hashed-tokens.ts";

/** The first `length` tokens of a sequence, in whole blocks. */
export interface Prefix {
  /** What it was taken from, which may have grown since. */
  readonly source: HashedTokens;
  readonly length: number;
  /** A sequence of just this length; belongs to the prefix. */
  readonly cache: SequenceCache;
}

export interface PrefixMatch {
  /** A new sequence that holds the longest kept start of the tokens; `undefined` when none is. */
  readonly cache: SequenceCache | undefined;
  /** How many of the tokens came before, in whole blocks, kept or not, as far as what is kept can tell. */
  readonly common: number;
}

export interface PrefixCache {
  readonly size: number;
  /** Looks for starts shorter than the tokens: at least one token must run to give logits. */
  find(wanted: HashedTokens): PrefixMatch;
  /** Takes the prefix over. */
  keep(prefix: Prefix): void;
  /** Lets go of the least recently used; false when there is none. */
  evict(): boolean;
}

export function createPrefixCache(capacity: number, blockTokens: number): PrefixCache {
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
    find(wanted) {
      let common = 0;
      const starts: Prefix[] = [];
      for (const prefix of kept) {
        const agreed = Math.min(commonBlocks(wanted, prefix.source, blockTokens), prefix.length);
        common = Math.max(common, agreed);
        if (agreed === prefix.length && agreed < wanted.tokens.length) starts.push(prefix);
      }
      const best = starts
        .sort((a, b) => b.length - a.length)
        .find(({ source, length }) => startTheSame(wanted, source, length));
      if (best !== undefined) touch(best);
      return { cache: best?.cache.fork(best.length), common };
    },
    keep(prefix) {
      const same = kept.find(
        ({ source, length }) => length === prefix.length && startTheSame(prefix.source, source, length),
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
