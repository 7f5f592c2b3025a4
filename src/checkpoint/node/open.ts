import type { Checkpoint } from "../checkpoint.ts";
import { createCheckpoint } from "../create-checkpoint.ts";
import { openTensors, readFolder } from "./folder.ts";

/**
 * Opens a folder in the Hugging Face layout (sharded with an index, or one `model.safetensors`) or the original layout
 * (also given as the parent of `original/`). Only headers are read; dtype and shape of every tensor are checked.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const folder = await readFolder(path);
  const tensors = await openTensors(folder.path);
  try {
    return createCheckpoint({ ...folder, ...tensors });
  } catch (error) {
    await tensors.close();
    throw error;
  }
}
