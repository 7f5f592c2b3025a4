export { batchOf, type CacheSize, cachePlan, type ModelCache } from "./cache.ts";
export type { ForwardInput } from "./forward.ts";
export { loadModel, type Model } from "./model.ts";
export type { SequenceCache } from "./sequence-cache.ts";
export type { LoadOptions, LoadProgress } from "./weights.ts";
