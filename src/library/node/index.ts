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
export {
  contextBytes,
  type LoadedEngine,
  type LoadedGptOss,
  type LoadOptions,
  load,
  loadEngine,
  type ModelInfo,
} from "./load.ts";
export { type LoadedWeights, type LoadWeightsOptions, loadWeights } from "./load-weights.ts";
export { type ListedModel, listModels, modelPath, openModel } from "./models.ts";
export { tokenizerOf } from "./tokenizer.ts";
export { type VerifyOptions, verify } from "./verify.ts";
