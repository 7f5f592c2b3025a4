// Text ⇄ token ids. Knows byte-level BPE and which ids are special; never what harmony does with them.

declare const tokenBrand: unique symbol;

/** A token's id in one vocabulary. Branded: a count, an index or a position is not a token. No cost at run time. */
export type TokenId = number & { readonly [tokenBrand]: true };

/** The special tokens that gpt-oss formats use, by their text without the bars. */
export interface SpecialTokens {
  readonly startoftext: TokenId;
  readonly endoftext: TokenId;
  readonly return: TokenId;
  readonly constrain: TokenId;
  readonly channel: TokenId;
  readonly start: TokenId;
  readonly end: TokenId;
  readonly message: TokenId;
  readonly call: TokenId;
}

/** Turns tokens into text one at a time; bytes of an unfinished character wait for the next token. */
export interface StreamDecoder {
  /** The text that became certain with this token; may be empty. */
  push(token: TokenId): string;
  /** What was held back, decoded with U+FFFD for what is not valid UTF-8; the decoder can be used again. */
  flush(): string;
}

/** Merge `i` turns the neighbouring tokens `left[i]`, `right[i]` into `result[i]`; earlier merges go first. */
export interface MergeList {
  readonly left: Int32Array;
  readonly right: Int32Array;
  readonly result: Int32Array;
}

export interface Tokenizer {
  /** Ids are below this number; not every id below it need be in use. */
  readonly vocabularySize: number;
  readonly special: SpecialTokens;
  /** How ordinary text becomes tokens; what a converter to another format writes. */
  readonly merges: MergeList;
  /** Ordinary encoding: the text `<|end|>` becomes ordinary tokens, never the special id. */
  encode(text: string): TokenId[];
  /** Special tokens appear as their text; bytes that are not UTF-8 and unknown ids become U+FFFD. */
  decode(tokens: Iterable<TokenId>): string;
  /** The bytes of one token; special tokens give their text; undefined for an id not in the vocabulary. */
  bytes(token: TokenId): Uint8Array | undefined;
  isSpecial(token: TokenId): boolean;
  streamDecoder(): StreamDecoder;
}
