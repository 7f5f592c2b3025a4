export { openFile } from "./file-source.ts";
export { type CheckpointFolder, type OpenTensors, openTensors, readFolder } from "./folder.ts";
export type { PullLayout } from "./hub/choose-files.ts";
export { hashOfFile } from "./hub/download-blob.ts";
export {
  type PlanOptions,
  type PullOptions,
  type PullPlan,
  plannedContextTokens,
  planPull,
  pull,
} from "./hub/pull.ts";
export type { TransferProgress } from "./hub/transfer-meter.ts";
export { ioError } from "./io-error.ts";
export { findModel, hubNameOf } from "./local/find-model.ts";
export { type LocalModel, localModels } from "./local/local-models.ts";
export { type OpenOptions, openCheckpoint } from "./open.ts";
export { readShape, type Shape } from "./shape.ts";
export type { Leftover } from "./staging.ts";
export { type SynthesizeOptions, synthesize } from "./synthesize.ts";
export { type WriteOptions, type WriteProgress, writeFiles } from "./write-files.ts";
