// From `--model` to a tokenizer or a loaded model, with progress and, for the embedded model, a word on what to expect.

import { openCheckpoint } from "../checkpoint/node/index.ts";
import { embeddedModelPath, type LoadedWeights, loadWeights, tokenizerOf } from "../library/node/index.ts";
import type { LoadProgress } from "../model/index.ts";
import { o200kHarmony, type Tokenizer } from "../tokenizer/index.ts";
import type { WeightOptions } from "./options.ts";
import { formatBytes, printNote, progressLine } from "./terminal.ts";

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

export async function loadCliWeights(options: WeightOptions, signal: AbortSignal): Promise<LoadedWeights> {
  const line = progressLine();
  try {
    return await loadWeights(modelPath(options.model), { ...loadOptions(options, line.update), signal });
  } finally {
    line.end();
  }
}

function loadOptions({ backend, threads }: WeightOptions, update: (text: string) => void) {
  return {
    ...(backend !== undefined && { backend }),
    ...(threads !== undefined && { threads }),
    onWarning: printNote,
    onProgress: ({ loadedBytes, totalBytes }: LoadProgress) =>
      update(`loading ${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`),
  };
}
