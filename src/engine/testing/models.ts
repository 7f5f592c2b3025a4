// Models on the reference backend, for tests of the engine.

import { createReferenceBackend } from "../../backend/reference/index.ts";
import { type ModelConfig, shapes, syntheticTensors } from "../../checkpoint/index.ts";
import { openCheckpoint } from "../../checkpoint/node/index.ts";
import { loadModel, type Model } from "../../model/index.ts";

/** The embedded model: slow in plain TypeScript, and with golden answers. */
export async function loadMicroModel(): Promise<Model> {
  const checkpoint = await openCheckpoint("models/micro");
  const model = await loadModel(checkpoint, createReferenceBackend());
  await checkpoint.close();
  return model;
}

/** As small as the architecture allows, with random weights: a token takes a fraction of a millisecond. */
export async function loadTinyModel(): Promise<Model> {
  const tensors = syntheticTensors(tiny, 1);
  const checkpoint = {
    path: "tiny",
    layout: "huggingface",
    config: tiny,
    tensor: (name: string) => tensors.get(name)!,
    files: [...tensors.values()],
    tokenizerJson: undefined,
    vocabulary: undefined,
    companions: async () => [],
    close: async () => {},
  } as const;
  return loadModel(checkpoint, createReferenceBackend());
}

const tiny: ModelConfig = {
  layers: 2,
  hiddenSize: 32,
  intermediateSize: 32,
  experts: 4,
  expertsPerToken: 2,
  heads: 2,
  kvHeads: 1,
  headDim: 16,
  vocabularySize: 61,
  contextLength: 192,
  slidingWindow: 8,
  slides: [true, false],
  rmsNormEpsilon: 1e-5,
  swigluLimit: 7,
  rope: shapes["gpt-oss-20b"].rope,
  stopTokens: [],
};
