import type { GgufVocabulary } from "../checkpoint/index.ts";
import { spellingOfBytes, type TokenId, type Tokenizer } from "../tokenizer/index.ts";

/** A tokenizer as a GGUF file lists it: every id of the model has a text, merges are pairs of texts. */
export function ggufVocabulary(tokenizer: Tokenizer, vocabularySize: number): GgufVocabulary {
  const utf8 = new TextDecoder();
  const tokens: string[] = [];
  const isControl: boolean[] = [];
  for (let id = 0; id < vocabularySize; id++) {
    const token = id as TokenId;
    const bytes = tokenizer.bytes(token);
    isControl.push(bytes === undefined || tokenizer.isSpecial(token));
    if (bytes === undefined) tokens.push(`<|unused_${id}|>`);
    else tokens.push(tokenizer.isSpecial(token) ? utf8.decode(bytes) : spellingOfBytes(bytes));
  }
  const { left, right } = tokenizer.merges;
  const merges = Array.from(left, (token, i) => `${tokens[token]} ${tokens[right[i]]}`);
  const { startoftext, endoftext, return: end } = tokenizer.special;
  return { tokens, isControl, merges, startoftext, endoftext, return: end };
}
