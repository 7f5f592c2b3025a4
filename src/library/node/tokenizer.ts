import { GptOssError } from "../../base/index.ts";
import { type Checkpoint, shapes } from "../../checkpoint/index.ts";
import {
  o200kHarmony,
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
