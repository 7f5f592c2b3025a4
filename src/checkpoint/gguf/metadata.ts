// The shape of a model and its vocabulary → GGUF metadata, by the keys that llama.cpp reads.

import type { ModelConfig } from "../config.ts";
import type { GgufValue } from "./format.ts";

const architecture = "gpt-oss";
const fileTypes = { BF16: 32, Q8_0: 7 } as const; // llama_ftype of the dense tensors
const quantizationVersion = 2; // GGML_QNT_VERSION

/** A byte-level BPE vocabulary as GGUF stores it; texts are in GPT-2's byte alphabet. */
export interface GgufVocabulary {
  /** By id; ids without a token have a placeholder text. */
  readonly tokens: readonly string[];
  /** By id: true for control tokens. */
  readonly isControl: readonly boolean[];
  /** Two texts separated by a space, best merge first. */
  readonly merges: readonly string[];
  readonly startoftext: number;
  readonly endoftext: number;
  readonly return: number;
}

export interface GgufMetadataOptions {
  readonly name: string;
  readonly dense: "BF16" | "Q8_0";
}

export function ggufMetadata(
  config: ModelConfig,
  vocabulary: GgufVocabulary,
  { name, dense }: GgufMetadataOptions,
): ReadonlyMap<string, GgufValue> {
  const metadata = new Map<string, GgufValue>();
  const string = (key: string, value: string) => metadata.set(key, { type: "string", value });
  const u32 = (key: string, value: number) => metadata.set(key, { type: "u32", value });
  const f32 = (key: string, value: number) => metadata.set(key, { type: "f32", value });
  const own = (key: string): string => `${architecture}.${key}`;

  string("general.architecture", architecture);
  string("general.type", "model");
  string("general.name", name);
  u32("general.file_type", fileTypes[dense]);
  u32("general.quantization_version", quantizationVersion);

  u32(own("block_count"), config.layers);
  u32(own("context_length"), config.contextLength);
  u32(own("embedding_length"), config.hiddenSize);
  u32(own("feed_forward_length"), config.intermediateSize);
  u32(own("expert_feed_forward_length"), config.intermediateSize);
  u32(own("expert_count"), config.experts);
  u32(own("expert_used_count"), config.expertsPerToken);
  u32(own("attention.head_count"), config.heads);
  u32(own("attention.head_count_kv"), config.kvHeads);
  u32(own("attention.key_length"), config.headDim);
  u32(own("attention.value_length"), config.headDim);
  f32(own("attention.layer_norm_rms_epsilon"), config.rmsNormEpsilon);
  u32(own("attention.sliding_window"), config.slidingWindow);
  f32(own("rope.freq_base"), config.rope.theta);
  string(own("rope.scaling.type"), "yarn");
  f32(own("rope.scaling.factor"), config.rope.factor);
  u32(own("rope.scaling.original_context_length"), config.rope.originalContextLength);

  string("tokenizer.ggml.model", "gpt2");
  string("tokenizer.ggml.pre", "gpt-4o");
  metadata.set("tokenizer.ggml.tokens", { type: "array", of: "string", value: vocabulary.tokens });
  metadata.set("tokenizer.ggml.token_type", {
    type: "array",
    of: "i32",
    value: vocabulary.isControl.map((control) => (control ? 3 : 1)), // LLAMA_TOKEN_TYPE_CONTROL, _NORMAL
  });
  metadata.set("tokenizer.ggml.merges", { type: "array", of: "string", value: vocabulary.merges });
  u32("tokenizer.ggml.bos_token_id", vocabulary.startoftext);
  u32("tokenizer.ggml.eos_token_id", vocabulary.return);
  u32("tokenizer.ggml.padding_token_id", vocabulary.endoftext);
  metadata.set("tokenizer.ggml.add_bos_token", { type: "bool", value: false });
  return metadata;
}
