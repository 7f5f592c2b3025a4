// A vocabulary that shows where text is cut: besides the bytes its only tokens are the two bytes around the border of
// two characters of which one at least is not ASCII. Such a token appears if and only if the border is not a cut
// (a border of two ASCII characters stays invisible; real vocabularies show many of those).

import { Tiktoken } from "tiktoken";
import { byteOrder } from "../byte-level.ts";
import { type Tokenizer, tokenizerFromJson } from "../index.ts";
import { tokenizerJson } from "./tokenizer-json.ts";

const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
const ascii = range(0x00, 0x7f);
const continuation = range(0x80, 0xbf);
const lead = range(0xc2, 0xf4);

const pairs = (left: readonly number[], right: readonly number[]): number[][] =>
  left.flatMap((a) => right.map((b) => [a, b]));

const tokens: readonly Uint8Array[] = [
  ...byteOrder.map((byte) => [byte]),
  ...pairs(ascii, lead),
  ...pairs(continuation, ascii),
  ...pairs(continuation, lead),
].map((bytes) => Uint8Array.from(bytes));

/** Our tokenizer and tiktoken with this vocabulary and the same pattern. */
export function visibleCuts(pattern: string): { readonly ours: Tokenizer; readonly official: Tiktoken } {
  const ranks = tokens.map((bytes, rank) => `${Buffer.from(bytes).toString("base64")} ${rank}`);
  return {
    ours: tokenizerFromJson(tokenizerJson(tokens, pattern)),
    official: new Tiktoken(ranks.join("\n"), {}, pattern),
  };
}
