// Which tokens of a vocabulary may come next: a walk over the tree of tokens, beside a walk through the grammar, that
// leaves every branch where the grammar does. What a place in a grammar allows is remembered.

import type { Work } from "./expression/work.ts";
import type { Configuration, Matcher } from "./matcher.ts";
import type { TokenTrie, Vocabulary } from "./token-trie.ts";

/** Tokens that may come: a list where they are few, else a bit for each, 32 to a word. */
export type TokenMask =
  | { readonly kind: "few"; readonly tokens: readonly number[] }
  | { readonly kind: "many"; readonly bits: Int32Array };

export interface MaskCache {
  get(key: Configuration): TokenMask | undefined;
  set(key: Configuration, mask: TokenMask): void;
}

/** The least recently used goes first. 25 kB each at 200,000 tokens. */
export function createMaskCache(capacity = 1024): MaskCache {
  const kept = new Map<Configuration, TokenMask>();
  return {
    get(key) {
      const mask = kept.get(key);
      if (mask === undefined) return undefined;
      kept.delete(key);
      kept.set(key, mask);
      return mask;
    },
    set(key, mask) {
      kept.set(key, mask);
      if (kept.size <= capacity) return;
      for (const oldest of kept.keys()) {
        kept.delete(oldest);
        return;
      }
    },
  };
}

/** More than this are bits. */
const maxFew = 1024;

/** Work units for one mask: about two seconds of the costliest grammars; ordinary ones take a thousandth. */
const maskWork = 4_000_000;

export function computeMask(
  configuration: Configuration,
  { matcher, vocabulary, work }: { matcher: Matcher; vocabulary: Vocabulary; work: Work },
): TokenMask {
  work.allow(maskWork);
  const bits = new Int32Array(Math.ceil(vocabulary.size / 32));
  const run = matcher.plainRun(configuration);
  if (run.length > 0) allowPlain(bits, vocabulary, run.length);
  if (run.length < vocabulary.maxPlainLength && !run.isExact)
    walk(configuration, vocabulary.plain, { matcher, bits, known: run.length });
  walk(configuration, vocabulary.other, { matcher, bits, known: -1 });
  return compact(bits);
}

function allowPlain(bits: Int32Array, { plainLengths }: Vocabulary, run: number): void {
  for (let token = 0; token < plainLengths.length; token++) {
    const length = plainLengths[token];
    if (length > 0 && length <= run) bits[token >> 5] |= 1 << (token & 31);
  }
}

interface Walk {
  readonly matcher: Matcher;
  readonly bits: Int32Array;
  /** Tokens of so few characters are decided already. */
  readonly known: number;
}

function walk(start: Configuration, trie: TokenTrie, { matcher, bits, known }: Walk): void {
  const { bytes, depths, ends, tokens, reaches } = trie;
  /** By depth. */
  const path: Configuration[] = [start];
  for (let node = 0; node < bytes.length; ) {
    const depth = depths[node];
    const from = path[depth - 1];
    const byte = bytes[node];
    // The remembered step without a call: this loop is most of what a mask costs.
    let to = reaches[node] > known ? from.next?.[from.classes.of[byte]] : null;
    if (to === undefined) to = matcher.step(from, byte);
    if (to === undefined || to === null) {
      node = ends[node];
      continue;
    }
    const token = tokens[node];
    if (token >= 0) bits[token >> 5] |= 1 << (token & 31);
    path[depth] = to;
    node++;
  }
}

function compact(bits: Int32Array): TokenMask {
  const tokens: number[] = [];
  for (let word = 0; word < bits.length; word++) {
    for (let rest = bits[word]; rest !== 0; rest &= rest - 1) {
      if (tokens.length === maxFew) return { kind: "many", bits };
      tokens.push(word * 32 + 31 - Math.clz32(rest & -rest));
    }
  }
  return { kind: "few", tokens };
}

/** Takes every token that is neither in the mask nor in `also` out of `logits` `[V]`. */
export function applyMask(logits: Float32Array, mask: TokenMask, also: readonly number[]): void {
  const kept = also.map((token) => logits[token]);
  if (mask.kind === "few") {
    const allowed = mask.tokens.map((token) => logits[token]);
    logits.fill(Number.NEGATIVE_INFINITY);
    for (const [index, token] of mask.tokens.entries()) logits[token] = allowed[index];
  } else {
    const { bits } = mask;
    for (let word = 0; word < bits.length; word++) {
      const allowed = bits[word];
      if (allowed === -1) continue;
      const end = Math.min(word * 32 + 32, logits.length);
      if (allowed === 0) logits.fill(Number.NEGATIVE_INFINITY, word * 32, end);
      else
        for (let token = word * 32, bit = allowed; token < end; token++, bit >>>= 1)
          if ((bit & 1) === 0) logits[token] = Number.NEGATIVE_INFINITY;
    }
  }
  for (const [index, token] of also.entries()) logits[token] = kept[index];
}
