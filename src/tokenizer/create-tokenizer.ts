// Puts a tokenizer together from its parts. Text is handled as UTF-8 bytes throughout: a lone surrogate becomes U+FFFD
// once, at the door, as in tiktoken.

import { pieceMerger } from "./bpe.ts";
import { decode, streamDecoder, viewOf } from "./decode.ts";
import { pieceLookup } from "./hash.ts";
import { specialTokens } from "./special-tokens.ts";
import type { Splitter } from "./split.ts";
import type { TokenBytes } from "./token-bytes.ts";
import type { MergeList, TokenId, Tokenizer } from "./tokenizer.ts";

export interface TokenizerParts {
  /** All tokens, special ones with the bytes of their text. */
  readonly tokens: TokenBytes;
  /** [256], the token of each single byte. */
  readonly byteTokens: Int32Array;
  readonly merges: MergeList;
  /** Control tokens and their texts; `encode` never yields them. */
  readonly special: ReadonlyMap<number, string>;
  /** Tokens outside the merges whose text, wherever it occurs, is always this token. */
  readonly ordinaryAdded: ReadonlyMap<string, number>;
  readonly splitter: Splitter;
  /** A piece that is a token as a whole is that token, even if merges would not lead there (as in tiktoken). */
  readonly wholePiecesFirst: boolean;
}

/** Strings up to a third of this use one buffer that is kept. */
const scratchBytes = 1 << 16;

export function createTokenizer(parts: TokenizerParts): Tokenizer {
  const { tokens, special, splitter } = parts;
  const isPiece = new Uint8Array(tokens.size).fill(1);
  for (const id of [...special.keys(), ...parts.ordinaryAdded.values()]) isPiece[id] = 0;
  const wholePiece = parts.wholePiecesFirst ? pieceLookup(tokens, isPiece) : () => -1;
  const merge = pieceMerger(parts.byteTokens, parts.merges);
  const utf8 = new TextEncoder();
  const scratch = new Uint8Array(scratchBytes);

  const encodeInto = (text: string, ids: number[]): void => {
    const fits = 3 * text.length <= scratch.length;
    const bytes = fits ? scratch : utf8.encode(text);
    const length = fits ? utf8.encodeInto(text, scratch).written : bytes.length;
    for (let start = 0; start < length; ) {
      const end = splitter(bytes, start, length);
      const token = wholePiece(bytes, start, end);
      if (token >= 0) ids.push(token);
      else merge(bytes, start, end, ids);
      start = end;
    }
  };

  const encode = withAddedTokens(encodeInto, parts.ordinaryAdded);
  return {
    vocabularySize: tokens.size,
    special: specialTokens(special),
    merges: parts.merges,
    encode: (text) => {
      const ids: number[] = [];
      encode(text, ids);
      return ids as TokenId[];
    },
    decode: (ids) => decode(tokens, ids),
    bytes: (token) => viewOf(tokens, token)?.slice(),
    isSpecial: (token) => special.has(token),
    streamDecoder: () => streamDecoder(tokens),
  };
}

type Encode = (text: string, ids: number[]) => void;

/** Takes added tokens out of the text first: the leftmost, and of those the longest. */
function withAddedTokens(encode: Encode, added: ReadonlyMap<string, number>): Encode {
  if (added.size === 0) return encode;
  const longestFirst = [...added.keys()].sort((a, b) => b.length - a.length);
  const anyAdded = new RegExp(
    longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|"),
    "g",
  );
  return (text, ids) => {
    let start = 0;
    for (const match of text.matchAll(anyAdded)) {
      encode(text.slice(start, match.index), ids);
      ids.push(added.get(match[0])!);
      start = match.index + match[0].length;
    }
    encode(text.slice(start), ids);
  };
}
