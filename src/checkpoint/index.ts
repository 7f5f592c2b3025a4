export { type ByteSource, bytesSource } from "./byte-source.ts";
export type { Checkpoint, Layout } from "./checkpoint.ts";
export { type CheckpointFilesOptions, checkpointFiles } from "./checkpoint-files.ts";
export type { ModelConfig, RopeConfig } from "./config.ts";
export { type ToGgufOptions, toGguf } from "./convert/to-gguf.ts";
export {
  bytesReadPerToken,
  cacheBytes,
  checkpointBytes,
  type DenseStorage,
  type ParameterCounts,
  parameterCounts,
} from "./counts.ts";
export { type CheckpointParts, createCheckpoint } from "./create-checkpoint.ts";
export { type FileStream, type NamedFile, safetensorsFile, textFile } from "./file-stream.ts";
export { formatConfig, formatGenerationConfig } from "./format-config.ts";
export type { GgufVocabulary } from "./gguf/metadata.ts";
export { inventory, type Part, type StoredTensor, storedTensors, type TensorSpec } from "./inventory.ts";
export type { JsonFile } from "./json.ts";
export {
  describeNames,
  formatHubName,
  type HubName,
  type ModelName,
  nearNames,
  parseModelName,
} from "./names.ts";
export { parseConfig } from "./parse-config.ts";
export { type CollectedTensors, collectTensors } from "./safetensors/collect.ts";
export { type ShapeName, shapeNames, shapes } from "./shapes.ts";
export { parseShardIndex, type ShardIndex } from "./shard-index.ts";
export { syntheticTensors } from "./synth/synthetic-tensors.ts";
