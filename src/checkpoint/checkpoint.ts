// A checkpoint: named tensors and a config, whatever files they came from.

import type { TensorView } from "../base/index.ts";
import type { ModelConfig } from "./config.ts";

/** A published layout. */
export type Layout = "huggingface" | "original";

export interface Checkpoint {
  readonly path: string;
  readonly layout: Layout;
  readonly config: ModelConfig;
  /**
   * A tensor by its Hugging Face name (`model.layers.3.self_attn.q_proj.weight`), whatever the file calls it; the
   * original layout's fused qkv is given as three views on rows of it. Dtype and shape were checked when it was opened.
   */
  tensor(name: string): TensorView;
  /** Every tensor, by the file's own names. */
  readonly files: readonly TensorView[];
  /** The text of `tokenizer.json`, where the checkpoint has one. */
  readonly tokenizerJson: string | undefined;
  close(): Promise<void>;
}
