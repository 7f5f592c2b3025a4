import type { Checkpoint } from "../checkpoint.ts";
import { createCheckpoint } from "../create-checkpoint.ts";
import type { DecodeOptions } from "../gguf/dense-view.ts";
import { openTensors, readFolder } from "./folder.ts";
import { findGguf, openGguf } from "./open-gguf.ts";

/** How what is not stored as published is read; see `Checkpoint.tensor`. */
export type OpenOptions = DecodeOptions;

/**
 * Opens a folder in the Hugging Face layout (sharded with an index, or one `model.safetensors`) or the original layout
 * (also given as the parent of `original/`), or a GGUF file (or any part of one that was split). Only headers are read;
 * dtype and shape of every tensor are checked.
 */
export async function openCheckpoint(path: string, options: OpenOptions = {}): Promise<Checkpoint> {
  const gguf = await findGguf(path);
  if (gguf !== undefined) return openGguf(gguf, options);
  const folder = await readFolder(path);
  const tensors = await openTensors(folder.path);
  try {
    return createCheckpoint({ ...folder, ...tensors, onRounding: options.onRounding });
  } catch (error) {
    await tensors.close();
    throw error;
  }
}
