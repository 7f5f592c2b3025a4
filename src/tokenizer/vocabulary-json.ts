// Token lists, as GGUF files have them ⇄ the tokenizer.json of Hugging Face: what both say of a byte-level BPE. Where a
// file came from, and how it stores the lists, is not known here.

import { spellingOfByte, spellingOfBytes } from "./byte-level.ts";
import { o200kHarmony } from "./o200k-harmony.ts";
import { harmonyTexts } from "./special-tokens.ts";
import { o200kPattern } from "./split-o200k.ts";
import type { TokenId, Tokenizer } from "./tokenizer.ts";
import { tokenizerFromJson } from "./tokenizer-json.ts";
import { badFile, show } from "./tokenizer-json-values.ts";

/** Texts of ordinary tokens and of merges are in GPT-2's byte alphabet (`Ġthe` for ` the`). */
export interface TokenLists {
  /** By id. */
  readonly tokens: readonly string[];
  /** By id: control tokens are never made from text, added ones always, and an unused id has no token. */
  readonly kinds: readonly TokenKind[];
  /** Two texts separated by a space, best merge first. */
  readonly merges: readonly string[];
}

export type TokenKind = "ordinary" | "control" | "added" | "unused";

/** The built-in tokenizer where the lists are its own, which takes a tenth of the time; errors as `tokenizerFromJson`. */
export function tokenizerFromLists(lists: TokenLists): Tokenizer {
  return isO200kHarmony(lists) ? o200kHarmony() : tokenizerFromJson(tokenizerJsonOf(lists));
}

/** Every token is the built-in one with this id; ids that are only reserved there may have no token here. */
function isO200kHarmony({ tokens, kinds }: TokenLists): boolean {
  const builtIn = o200kHarmony();
  if (tokens.length !== builtIn.vocabularySize) return false;
  const utf8 = new TextDecoder();
  const characters = Uint16Array.from({ length: 256 }, (_, byte) => spellingOfByte(byte).charCodeAt(0));
  return tokens.every((text, id) => {
    const bytes = builtIn.bytes(id as TokenId)!;
    if (!builtIn.isSpecial(id as TokenId))
      return (
        kinds[id] === "ordinary" &&
        text.length === bytes.length &&
        bytes.every((byte, i) => text.charCodeAt(i) === characters[byte])
      );
    const own = utf8.decode(bytes);
    return text === own
      ? kinds[id] !== "ordinary" || harmonyTexts.has(own)
      : !harmonyTexts.has(own) && kinds[id] === "unused";
  });
}

/** The file that `tokenizerFromJson` and Hugging Face's tokenizers read as this vocabulary, cut as o200k cuts text. */
export function tokenizerJsonOf({ tokens, kinds, merges }: TokenLists): object {
  if (kinds.length !== tokens.length)
    throw badFile(`${tokens.length} tokens have ${kinds.length} kinds; is the file damaged?`);
  const vocab: [string, number][] = [];
  const added: object[] = [];
  const seen = new Set<string>();
  for (const [id, content] of tokens.entries()) {
    // Some converters call harmony's tokens ordinary; made from text they would be a way to inject messages.
    const kind = harmonyTexts.has(content) ? "control" : kinds[id];
    if (kind === "unused") continue;
    if (seen.has(content)) throw badFile(`token ${show(content)} is listed twice`);
    seen.add(content);
    if (kind === "ordinary") vocab.push([content, id]);
    else added.push(addedToken(id, content, kind));
  }
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: null,
    pre_tokenizer: preTokenizer,
    post_processor: { ...byteLevel, trim_offsets: false },
    decoder: byteLevel,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: true,
      vocab: Object.fromEntries(vocab),
      merges: merges.map((merge) => merge.split(" ")),
    },
  };
}

const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };

const preTokenizer = {
  type: "Sequence",
  pretokenizers: [
    { type: "Split", pattern: { Regex: o200kPattern }, behavior: "Isolated", invert: false },
    { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
};

function addedToken(id: number, content: string, kind: "control" | "added"): object {
  const matching = { single_word: false, lstrip: false, rstrip: false, normalized: false };
  return { id, content, ...matching, special: kind === "control" };
}

/** The lists of a tokenizer, with an id for every row of a model's embedding. */
export function tokenListsOf(tokenizer: Tokenizer, vocabularySize: number): TokenLists {
  const utf8 = new TextDecoder();
  const tokens: string[] = [];
  const kinds: TokenKind[] = [];
  for (let id = 0; id < vocabularySize; id++) {
    const token = id as TokenId;
    const bytes = id < tokenizer.vocabularySize ? tokenizer.bytes(token) : undefined;
    const isControl = bytes !== undefined && tokenizer.isSpecial(token);
    kinds.push(bytes === undefined ? "unused" : isControl ? "control" : "ordinary");
    if (bytes === undefined) tokens.push(`[PAD${id}]`);
    else tokens.push(isControl ? utf8.decode(bytes) : spellingOfBytes(bytes));
  }
  const { left, right } = tokenizer.merges;
  const merges = Array.from(left, (token, i) => `${tokens[token]} ${tokens[right[i]]}`);
  return { tokens, kinds, merges };
}
