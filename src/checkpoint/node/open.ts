import { GptOssError } from "../../base/index.ts";
import { bindTensors, layoutOf } from "../bind.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { parseConfig } from "../parse-config.ts";
import { quote } from "../quote.ts";
import { openTensors, readFolder } from "./folder.ts";

/**
 * Opens a folder in the Hugging Face layout (sharded with an index, or one `model.safetensors`) or the original layout
 * (also given as the parent of `original/`). Only headers are read; dtype and shape of every tensor are checked.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const folder = await readFolder(path);
  const config = parseConfig(folder.config, folder.generationConfig);
  const open = await openTensors(folder.path);
  try {
    const layout = layoutOf(open.tensors);
    const bound = bindTensors(config, { ...open, name: folder.path, layout });
    return {
      path: folder.path,
      layout,
      config,
      files: [...open.tensors.values()],
      tokenizerJson: folder.tokenizer?.text,
      tensor: (name) => {
        const view = bound.get(name);
        if (view) return view;
        throw new GptOssError("checkpoint/missing-tensor", {
          message: `${folder.path}: a model of this shape has no tensor ${quote(name)}`,
        });
      },
      close: open.close,
    };
  } catch (error) {
    await open.close();
    throw error;
  }
}
