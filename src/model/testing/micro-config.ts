import { type ModelConfig, shapes } from "../../checkpoint/index.ts";

/** The shape of models/micro, for tests that need a config and no weights. */
export const microConfig: ModelConfig = {
  layers: 4,
  hiddenSize: 128,
  intermediateSize: 128,
  experts: 16,
  expertsPerToken: 4,
  heads: 4,
  kvHeads: 2,
  headDim: 64,
  vocabularySize: 2080,
  contextLength: 131_072,
  slidingWindow: 64,
  slides: [true, false, true, false],
  rmsNormEpsilon: 1e-5,
  swigluLimit: 7,
  rope: shapes["gpt-oss-20b"].rope,
  stopTokens: [],
};
