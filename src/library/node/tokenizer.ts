import { GptOssError } from "../../base/index.ts";
import { type Checkpoint, shapes } from "../../checkpoint/index.ts";
import {
  o200kHarmony,
  type TokenId,
  type Tokenizer,
  tokenizerFromJson,
  tokenizerFromLists,
} from "../../tokenizer/index.ts";
import { ggufTokenLists } from "../gguf-vocabulary.ts";

/** The checkpoint's own; for the vocabulary of the published models, the built-in one where it has none. */
export function tokenizerOf(checkpoint: Checkpoint): Tokenizer {
  const { tokenizerJson, vocabulary, config, path } = checkpoint;
  if (tokenizerJson !== undefined) return tokenizerFromJson(tokenizerJson);
  if (vocabulary !== undefined) return tokenizerFromLists(ggufTokenLists(path, vocabulary));
  if (config.vocabularySize === shapes["gpt-oss-20b"].vocabularySize) return o200kHarmony();
  throw new GptOssError("library/no-tokenizer", {
    message: `${path} has no tokenizer.json, and ${config.vocabularySize} is not the vocabulary that is built in`,
    hint: "put the model's tokenizer.json beside its weights",
  });
}

/** The text of ordinary tokens, for an engine's grammars. The tokenizer is made for the first one that is asked for. */
export function tokenBytesOf(checkpoint: Checkpoint): (token: number) => Uint8Array | undefined {
  let tokenizer: Tokenizer | undefined;
  return (token) => {
    tokenizer ??= tokenizerOf(checkpoint);
    return tokenizer.isSpecial(token as TokenId) ? undefined : tokenizer.bytes(token as TokenId);
  };
}
