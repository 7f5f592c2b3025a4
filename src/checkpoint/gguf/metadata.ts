// The shape of a model and its vocabulary → GGUF metadata, by the keys that llama.cpp reads.

import { GptOssError } from "../../base/index.ts";
import type { ModelConfig } from "../config.ts";
import type { GgufValue } from "./format.ts";
import type { GgufVocabulary } from "./vocabulary.ts";

const architecture = "gpt-oss";
export const chatTemplateKey = "tokenizer.chat_template";
const fileTypes = { bf16: 32, q8_0: 7 } as const; // llama_ftype of the dense tensors
const quantizationVersion = 2; // GGML_QNT_VERSION

export interface GgufMetadataOptions {
  readonly name: string;
  readonly dense: keyof typeof fileTypes;
  /** Without one, llama.cpp makes conversations of its own fashion, which the model does not know. */
  readonly chatTemplate?: string | undefined;
}

export function ggufMetadata(
  config: ModelConfig,
  vocabulary: GgufVocabulary,
  { name, dense, chatTemplate }: GgufMetadataOptions,
): ReadonlyMap<string, GgufValue> {
  refuseUnsayable(config);
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

  if (config.rope.betaFast !== 32) f32(own("rope.scaling.yarn_beta_fast"), config.rope.betaFast);
  if (config.rope.betaSlow !== 1) f32(own("rope.scaling.yarn_beta_slow"), config.rope.betaSlow);

  string("tokenizer.ggml.model", "gpt2");
  string("tokenizer.ggml.pre", "gpt-4o");
  metadata.set("tokenizer.ggml.tokens", { type: "array", of: "string", value: vocabulary.tokens });
  metadata.set("tokenizer.ggml.token_type", { type: "array", of: "i32", value: vocabulary.types });
  metadata.set("tokenizer.ggml.merges", { type: "array", of: "string", value: vocabulary.merges });
  const special = (key: string, text: string): void => {
    const id = vocabulary.tokens.indexOf(text);
    if (id >= 0) u32(`tokenizer.ggml.${key}_token_id`, id);
  };
  special("bos", "<|startoftext|>");
  special("eos", "<|return|>");
  special("padding", "<|endoftext|>");
  // A key of Ollama's; llama.cpp finds the same tokens by their texts.
  if (config.stopTokens.length > 0)
    metadata.set("tokenizer.ggml.eos_token_ids", { type: "array", of: "i32", value: config.stopTokens });
  metadata.set("tokenizer.ggml.add_bos_token", { type: "bool", value: false });
  if (chatTemplate !== undefined) string(chatTemplateKey, chatTemplate);
  return metadata;
}

/** The format cannot say these, and readers take the published models' values for granted. */
function refuseUnsayable({ slides, swigluLimit, rope }: ModelConfig): void {
  const refuse = (what: string): never => {
    throw new GptOssError("checkpoint/bad-config", {
      message: `a GGUF file cannot say that ${what}`,
      hint: "programs that read it would run the model wrongly; keep it in the Hugging Face layout",
    });
  };
  if (slides.some((slide, layer) => slide !== (layer % 2 === 0))) refuse("other than even layers slide");
  if (swigluLimit !== 7) refuse(`swiglu_limit is ${swigluLimit}, not 7`);
  if (rope.truncate) refuse("YaRN's bounds are rounded");
}
