// ModelConfig → config.json and generation_config.json as published. What parse-config.ts reads back is the same config.

import type { SafetensorsLayout } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import type { ExpertStorage } from "./inventory.ts";

/** The text of `config.json`, with the layout's own spelling. */
export function formatConfig(
  config: ModelConfig,
  layout: SafetensorsLayout,
  experts: ExpertStorage = "mxfp4",
): string {
  const fields = layout === "huggingface" ? huggingFaceFields(config, experts) : originalFields(config);
  return `${JSON.stringify(fields, undefined, 2)}\n`;
}

/** The text of `generation_config.json`. */
export function formatGenerationConfig(config: ModelConfig): string {
  const fields = {
    ...(hasHarmonyVocabulary(config) && { bos_token_id: 199998 }),
    do_sample: true,
    eos_token_id: config.stopTokens,
    ...(hasHarmonyVocabulary(config) && { pad_token_id: 199999 }),
  };
  return `${JSON.stringify(fields, undefined, 2)}\n`;
}

/** o200k_harmony, as its size shows; its special ids are known without the tokenizer. */
function hasHarmonyVocabulary(config: ModelConfig): boolean {
  return config.vocabularySize === 201088;
}

function huggingFaceFields(config: ModelConfig, experts: ExpertStorage): object {
  return {
    architectures: ["GptOssForCausalLM"],
    attention_bias: true,
    attention_dropout: 0,
    ...(config.stopTokens.length > 0 && { eos_token_id: config.stopTokens[0] }),
    experts_per_token: config.expertsPerToken,
    head_dim: config.headDim,
    hidden_act: "silu",
    hidden_size: config.hiddenSize,
    initial_context_length: config.rope.originalContextLength,
    initializer_range: 0.02,
    intermediate_size: config.intermediateSize,
    layer_types: layerTypes(config),
    max_position_embeddings: config.contextLength,
    model_type: "gpt_oss",
    num_attention_heads: config.heads,
    num_experts_per_tok: config.expertsPerToken,
    num_hidden_layers: config.layers,
    num_key_value_heads: config.kvHeads,
    num_local_experts: config.experts,
    output_router_logits: false,
    ...(hasHarmonyVocabulary(config) && { pad_token_id: 199999 }),
    ...(experts === "mxfp4" && { quantization_config: quantizationConfig }),
    rms_norm_eps: config.rmsNormEpsilon,
    rope_scaling: ropeScaling(config),
    rope_theta: config.rope.theta,
    router_aux_loss_coef: 0.9,
    sliding_window: config.slidingWindow,
    swiglu_limit: config.swigluLimit,
    tie_word_embeddings: false,
    ...(experts === "bf16" && { torch_dtype: "bfloat16" }),
    use_cache: true,
    vocab_size: config.vocabularySize,
  };
}

const quantizationConfig = {
  modules_to_not_convert: [
    "model.layers.*.self_attn",
    "model.layers.*.mlp.router",
    "model.embed_tokens",
    "lm_head",
  ],
  quant_method: "mxfp4",
};

/**
 * The reference's keys. Where a model deviates from what the reference takes for granted, a key that it does not know
 * says so: the reference then refuses the file, which is better than running it wrongly.
 */
function originalFields(config: ModelConfig): object {
  const { rope } = config;
  return {
    num_hidden_layers: config.layers,
    num_experts: config.experts,
    experts_per_token: config.expertsPerToken,
    vocab_size: config.vocabularySize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    swiglu_limit: config.swigluLimit,
    head_dim: config.headDim,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    sliding_window: config.slidingWindow,
    initial_context_length: rope.originalContextLength,
    rope_theta: rope.theta,
    rope_scaling_factor: rope.factor,
    rope_ntk_alpha: rope.betaSlow,
    rope_ntk_beta: rope.betaFast,
    ...(rope.truncate && { rope_scaling: ropeScaling(config) }),
    ...(config.rmsNormEpsilon !== 1e-5 && { rms_norm_eps: config.rmsNormEpsilon }),
    ...(config.contextLength !== Math.round(rope.originalContextLength * rope.factor) && {
      max_position_embeddings: config.contextLength,
    }),
    ...(config.slides.some((slides, layer) => slides !== (layer % 2 === 0)) && {
      layer_types: layerTypes(config),
    }),
  };
}

function layerTypes(config: ModelConfig): string[] {
  return config.slides.map((slides) => (slides ? "sliding_attention" : "full_attention"));
}

function ropeScaling({ rope }: ModelConfig): object {
  return {
    beta_fast: rope.betaFast,
    beta_slow: rope.betaSlow,
    factor: rope.factor,
    original_max_position_embeddings: rope.originalContextLength,
    rope_type: "yarn",
    truncate: rope.truncate,
  };
}
