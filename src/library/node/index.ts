export { type BackendName, type BackendOptions, backendNames, onFirstBackend } from "./backends.ts";
export {
  embeddedAnnouncement,
  embeddedContextTokens,
  embeddedDefaults,
  embeddedModelPath,
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
export { tokenizerOf } from "./tokenizer.ts";
