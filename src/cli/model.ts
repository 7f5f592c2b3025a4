// From `--model` to a tokenizer or a loaded model, with progress and, for the embedded model, a word on what to expect.

import { openCheckpoint } from "../checkpoint/node/index.ts";
import { embeddedModelPath, tokenizerOf } from "../library/node/index.ts";
import { o200kHarmony, type Tokenizer } from "../tokenizer/index.ts";

/** `embedded` names the model in the package, from wherever the command is run. */
export const modelPath = (model: string | undefined): string =>
  model === undefined || model === "embedded" ? embeddedModelPath : model;

/** For commands that run no model: gpt-oss's own tokenizer, unless a checkpoint is given. */
export async function cliTokenizer(model: string | undefined): Promise<Tokenizer> {
  if (model === undefined) return o200kHarmony();
  const checkpoint = await openCheckpoint(modelPath(model));
  try {
    return tokenizerOf(checkpoint);
  } finally {
    await checkpoint.close();
  }
}
