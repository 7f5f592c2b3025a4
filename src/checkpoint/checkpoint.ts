// A checkpoint: named tensors and a config, whatever files they came from.

import type { TensorView } from "../base/index.ts";
import type { Companion } from "./companions.ts";
import type { ModelConfig } from "./config.ts";
import type { GgufVocabulary } from "./gguf/vocabulary.ts";

/** A published layout of safetensors files. */
export type SafetensorsLayout = "huggingface" | "original";
/** A published layout. */
export type Layout = SafetensorsLayout | "gguf";

export interface Checkpoint {
  readonly path: string;
  readonly layout: Layout;
  readonly config: ModelConfig;
  /**
   * A tensor by its Hugging Face name (`model.layers.3.self_attn.q_proj.weight`), whatever the file calls it; the
   * original layout's fused qkv is given as three views on rows of it. Dtype and shape were checked when it was opened.
   * Experts are MXFP4 as safetensors files have it; those that a GGUF file or a fine-tune stores otherwise are rearranged
   * or rounded when they are read.
   */
  tensor(name: string): TensorView;
  /** Every tensor, by the file's own names; of GGUF files, by Hugging Face names and as it is read. */
  readonly files: readonly TensorView[];
  /** The text of `tokenizer.json`, where the checkpoint has one. */
  readonly tokenizerJson: string | undefined;
  /** The token lists of a GGUF file, which it has in place of a `tokenizer.json`. Decoded when first asked for. */
  readonly vocabulary?: GgufVocabulary | undefined;
  /** What others need beside the weights: read when asked for, because nothing here runs on it. */
  companions(): Promise<readonly Companion[]>;
  close(): Promise<void>;
}
