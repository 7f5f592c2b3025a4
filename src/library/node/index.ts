export type { Check, VerifyProgress } from "../verify/check.ts";
export { type BackendName, type BackendOptions, backendNames, onFirstBackend } from "./backends.ts";
export {
  type Conversion,
  type ConversionPlan,
  type ConvertOptions,
  convert,
  type RoundedTensor,
} from "./convert.ts";
export {
  embeddedAnnouncement,
  embeddedContextTokens,
  embeddedDefaults,
  isEmbedded,
} from "./embedded.ts";
export { type LoadedGptOss, type LoadOptions, load } from "./load.ts";
export {
  contextBytes,
  type EngineLoadOptions,
  type LoadedEngine,
  loadEngine,
  type ModelInfo,
} from "./load-engine.ts";
export { type EngineInThread, loadInThread } from "./load-in-thread.ts";
export { type LoadedWeights, type LoadWeightsOptions, loadWeights } from "./load-weights.ts";
export { type ListedModel, listModels, modelPath, openModel } from "./models.ts";
export { tokenizerOf } from "./tokenizer.ts";
export { type VerifyOptions, verify } from "./verify.ts";
