export { openFile } from "./file-source.ts";
export { type CheckpointFolder, type OpenTensors, openTensors, readFolder } from "./folder.ts";
export { openCheckpoint } from "./open.ts";
export { readShape, type Shape } from "./shape.ts";
export { type SynthesizeOptions, synthesize } from "./synthesize.ts";
export { type WriteOptions, type WriteProgress, writeFiles } from "./write-files.ts";
