export { type ByteSource, bytesSource } from "./byte-source.ts";
export type { Checkpoint, Layout } from "./checkpoint.ts";
export type { ModelConfig, RopeConfig } from "./config.ts";
export {
  bytesReadPerToken,
  cacheBytes,
  checkpointBytes,
  type DenseStorage,
  type ParameterCounts,
  parameterCounts,
} from "./counts.ts";
export { inventory, type Part, type StoredTensor, storedTensors, type TensorSpec } from "./inventory.ts";
export type { JsonFile } from "./json.ts";
export { parseConfig } from "./parse-config.ts";
