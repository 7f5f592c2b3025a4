import { assert } from "../../base/index.ts";
import type { ByteSource, Checkpoint, Layout, ModelConfig } from "../index.ts";

/**
 * Opens a folder in the Hugging Face layout (sharded with an index, or one `model.safetensors`) or the original layout
 * (also given as the parent of `original/`). Reads only headers; every tensor's dtype and shape is checked.
 */
export async function openCheckpoint(_path: string): Promise<Checkpoint> {
  assert(false, "not written yet");
}

/** A local file, read by position; refuses folders and devices. */
export async function openFile(_path: string): Promise<ByteSource> {
  assert(false, "not written yet");
}

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
