export { openFile } from "./file-source.ts";
export { type CheckpointFolder, type OpenTensors, openTensors, readFolder } from "./folder.ts";
export { openCheckpoint } from "./open.ts";

import { assert } from "../../base/index.ts";
import type { Layout, ModelConfig } from "../index.ts";

export interface SynthesizeOptions {
  readonly config: ModelConfig;
  readonly out: string;
  readonly seed: number;
  readonly layout?: Layout;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: WriteProgress) => void;
}

export interface WriteProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number;
}

/** Writes a checkpoint of any shape with seeded random weights. */
export async function synthesize(_options: SynthesizeOptions): Promise<void> {
  assert(false, "not written yet");
}
