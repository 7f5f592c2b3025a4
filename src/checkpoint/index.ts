export { type ByteSource, bytesSource } from "./byte-source.ts";
export type { Checkpoint, Layout, SafetensorsLayout } from "./checkpoint.ts";
export { type CheckpointFilesOptions, checkpointFiles } from "./checkpoint-files.ts";
export { type Companion, chatTemplateOf } from "./companions.ts";
export type { ModelConfig, RopeConfig } from "./config.ts";
export { type ConvertedFilesOptions, convertedFiles } from "./convert/converted-files.ts";
export { type DenseFormat, type ToGgufOptions, toGguf } from "./convert/to-gguf.ts";
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
export { type CollectedGguf, collectGguf } from "./gguf/collect.ts";
export { createGgufCheckpoint, type GgufParts } from "./gguf/create-gguf-checkpoint.ts";
export { type GgufVocabulary, ggufTokenTypes } from "./gguf/vocabulary.ts";
export {
  type ExpertStorage,
  inventory,
  type Part,
  type StoredTensor,
  storedTensors,
  type TensorSpec,
} from "./inventory.ts";
export type { JsonFile } from "./json.ts";
export { formatHubName, type HubName, type ModelName, parseModelName } from "./names.ts";
export { addRoundings, type OnRounding, type Rounding } from "./numbers/rounding.ts";
export { parseConfig } from "./parse-config.ts";
export { type CollectedTensors, collectTensors } from "./safetensors/collect.ts";
export { type ShapeName, shapeNames, shapes } from "./shapes.ts";
export { parseShardIndex, type ShardIndex } from "./shard-index.ts";
export { syntheticTensors } from "./synth/synthetic-tensors.ts";
