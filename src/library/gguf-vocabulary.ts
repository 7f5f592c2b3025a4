// Token lists as GGUF files have them ⇄ as the tokenizer room has them. Neither room knows the other.

import { GptOssError } from "../base/index.ts";
import { type GgufVocabulary, ggufTokenTypes } from "../checkpoint/index.ts";
import { type Tokenizer, type TokenKind, type TokenLists, tokenListsOf } from "../tokenizer/index.ts";

/** A tokenizer as a GGUF file lists it: every id of the model has a text. */
export function ggufVocabulary(tokenizer: Tokenizer, vocabularySize: number): GgufVocabulary {
  const { tokens, kinds, merges } = tokenListsOf(tokenizer, vocabularySize);
  const types = kinds.map((kind) => typeOfKind[kind]);
  return { tokens, types, merges, model: "gpt2", splitter: "gpt-4o" };
}

const typeOfKind: Readonly<Record<TokenKind, number>> = {
  ordinary: ggufTokenTypes.normal,
  control: ggufTokenTypes.control,
  added: ggufTokenTypes.userDefined,
  unused: ggufTokenTypes.unused,
};

/** The lists of a file; `tokenizer/bad-file` where they are not those of a byte-level BPE cut as gpt-oss cuts text. */
export function ggufTokenLists(file: string, vocabulary: GgufVocabulary): TokenLists {
  const { tokens, types, merges, model, splitter = "default" } = vocabulary;
  // Ollama's first files say "default", and mean this, too.
  if (model !== "gpt2" || !["gpt-4o", "default"].includes(splitter))
    throw new GptOssError("tokenizer/bad-file", {
      message: `${file}: tokenizer.ggml.model and .pre are not "gpt2" and "gpt-4o"`,
      hint: "is this a gpt-oss model?",
    });
  const kinds = types.map((type): TokenKind => kindOfType.get(type) ?? "unused");
  return { tokens, kinds, merges };
}

const kindOfType = new Map((Object.keys(typeOfKind) as TokenKind[]).map((kind) => [typeOfKind[kind], kind]));
