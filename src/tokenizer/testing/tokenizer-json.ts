// Writes a tiktoken vocabulary as tokenizer.json, the way Hugging Face's converter does: every way to cut a token into
// two tokens is a merge, in the order of the tokens' ranks.

import { spellingOfByte } from "../byte-level.ts";

const harmonyNames = [
  "startoftext",
  "endoftext",
  "return",
  "constrain",
  "channel",
  "start",
  "end",
  "message",
  "call",
];

export interface TokenizerJson {
  added_tokens: Record<string, unknown>[];
  normalizer: unknown;
  pre_tokenizer: Record<string, unknown>;
  decoder: unknown;
  model: Record<string, unknown> & { vocab: Record<string, number>; merges: unknown[] };
}

/** `tokens` by rank; the harmony tokens follow after the last. */
export function tokenizerJson(tokens: readonly Uint8Array[], pattern: string): TokenizerJson {
  const spellings = tokens.map((bytes) => Array.from(bytes, spellingOfByte).join(""));
  const vocab = new Map(spellings.map((spelling, rank) => [spelling, rank]));
  const merges: [string, string][] = [];
  for (const spelling of spellings) {
    const cuts: [string, string][] = [];
    for (let cut = 1; cut < spelling.length; cut++) {
      const pair: [string, string] = [spelling.slice(0, cut), spelling.slice(cut)];
      if (vocab.has(pair[0]) && vocab.has(pair[1])) cuts.push(pair);
    }
    cuts.sort((a, b) => vocab.get(a[0])! - vocab.get(b[0])! || vocab.get(a[1])! - vocab.get(b[1])!);
    merges.push(...cuts);
  }
  return {
    added_tokens: harmonyNames.map((name, i) => ({
      id: tokens.length + i,
      content: `<|${name}|>`,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    pre_tokenizer: {
      type: "Sequence",
      pretokenizers: [
        { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false },
        { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
      ],
    },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      ignore_merges: true,
      vocab: Object.fromEntries(vocab),
      merges,
    },
  };
}
