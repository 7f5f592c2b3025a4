// config.json and generation_config.json → ModelConfig. One parser for all spellings: Hugging Face before and after
// `rope_parameters`, and the original layout's own keys. Anything that this architecture does not have is refused here,
// because it would otherwise give wrong answers quietly.

import type { ModelConfig, RopeConfig } from "./config.ts";
import { type Complaint, type Fields, fieldsOf, type JsonFile, parseJsonObject } from "./json.ts";
import { describe } from "./quote.ts";

const complaint: Complaint = {
  code: "checkpoint/bad-config",
  hint: "compare it with the config.json of a published gpt-oss model; a downloaded one may be damaged",
};

/** Far above any model of this family; they keep sums of sizes exact and a hostile config from filling the memory. */
export const configLimits = {
  layers: 1024,
  experts: 4096,
  width: 2 ** 17,
  heads: 4096,
  headDim: 1024,
  vocabulary: 2 ** 23,
  context: 2 ** 30,
} as const;

/** Values that share one MXFP4 scale: expert matrices are stored in such blocks along their input dimension. */
export const blockValues = 32;

/** Parses `config.json` in either spelling; every error is `checkpoint/bad-config` and names file, field and value. */
export function parseConfig(file: JsonFile, generationConfig?: JsonFile): ModelConfig {
  const fields = fieldsOf(file.name, parseJsonObject(file, complaint), complaint);
  refuseOtherArchitectures(fields);

  const layers = fields.integer(["num_hidden_layers"], { min: 1, max: configLimits.layers });
  const experts = fields.integer(["num_local_experts", "num_experts"], { min: 1, max: configLimits.experts });
  const heads = fields.integer(["num_attention_heads"], { min: 1, max: configLimits.heads });
  const kvHeads = fields.integer(["num_key_value_heads"], { min: 1, max: heads });
  if (heads % kvHeads !== 0)
    fields.refuse("num_key_value_heads", `a divisor of num_attention_heads, ${heads}`);
  const vocabularySize = fields.integer(["vocab_size"], { min: 1, max: configLimits.vocabulary });
  const { contextLength, ...rope } = parseRope(fields);

  return {
    layers,
    hiddenSize: multiple(fields, "hidden_size", { of: blockValues, max: configLimits.width }),
    intermediateSize: multiple(fields, "intermediate_size", { of: blockValues, max: configLimits.width }),
    experts,
    expertsPerToken: fields.integer(["num_experts_per_tok", "experts_per_token"], { min: 1, max: experts }),
    heads,
    kvHeads,
    // Even: rotation pairs element i with element i + headDim / 2.
    headDim: multiple(fields, "head_dim", { of: 2, max: configLimits.headDim }),
    vocabularySize,
    contextLength,
    slidingWindow: fields.integer(["sliding_window"], { min: 1, max: configLimits.context }),
    slides: parseLayerTypes(fields, layers),
    // Defaults for what the original layout does not say, and early Hugging Face files neither (swiglu_limit):
    // gpt_oss/torch/model.py RMSNorm eps and swiglu limit.
    rmsNormEpsilon: fields.number(["rms_norm_eps"], { min: 1e-12, max: 1e-2, fallback: 1e-5 }),
    swigluLimit: fields.number(["swiglu_limit"], { min: 1e-3, max: 1e6, fallback: 7 }),
    rope,
    stopTokens: generationConfig ? parseStopTokens(generationConfig, vocabularySize) : [],
  };
}

function refuseOtherArchitectures(fields: Fields): void {
  const fixed = {
    model_type: "gpt_oss",
    hidden_act: "silu",
    attention_bias: true,
    tie_word_embeddings: false,
  };
  for (const [key, only] of Object.entries(fixed))
    if (fields.has(key) && fields.raw(key) !== only) fields.refuse(key, describe(only));
  const quantization = fields.object("quantization_config");
  if (quantization && quantization.raw("quant_method") !== "mxfp4")
    quantization.refuse("quant_method", '"mxfp4"');
}

function multiple(fields: Fields, key: string, { of, max }: { of: number; max: number }): number {
  const value = fields.integer([key], { min: of, max });
  return value % of === 0 ? value : fields.refuse(key, `a multiple of ${of}`);
}

function parseLayerTypes(fields: Fields, layers: number): readonly boolean[] {
  const types = fields.raw("layer_types");
  // gpt_oss/torch/model.py: even layers slide.
  if (types === undefined) return Array.from({ length: layers }, (_, layer) => layer % 2 === 0);
  if (!Array.isArray(types) || types.length !== layers)
    return fields.refuse("layer_types", `a list with one entry for each of the ${layers} layers`);
  return types.map((type, layer) => {
    if (type === "sliding_attention") return true;
    if (type === "full_attention") return false;
    return fields.refuse(`layer_types[${layer}]`, '"sliding_attention" or "full_attention"', { found: type });
  });
}

function parseRope(fields: Fields): RopeConfig & { readonly contextLength: number } {
  const nested = fields.object("rope_parameters") ?? fields.object("rope_scaling");
  if (!nested && !fields.has("rope_scaling_factor"))
    fields.refuse("rope_parameters or rope_scaling", "an object with factor, beta_fast and beta_slow");
  const theta = { min: 1 + 1e-6, max: 1e12 };
  const rope = nested ? nestedRope(fields, nested, theta) : originalRope(fields, theta);
  if (rope.betaFast <= rope.betaSlow)
    fields.refuse(nested ? "beta_fast" : "rope_ntk_beta", `more than ${rope.betaSlow}`);
  const contextLength = fields.integer(["max_position_embeddings"], {
    min: 1,
    max: configLimits.context,
    // The original layout has no such field; its models were trained up to here.
    fallback: Math.min(configLimits.context, Math.round(rope.originalContextLength * rope.factor)),
  });
  return { ...rope, contextLength };
}

const beta = { min: 1e-3, max: 1e6 };
const factor = { min: 1, max: 1e6 };
const original = { min: 1, max: configLimits.context };

/** Hugging Face: an object, with theta inside it (`rope_parameters`) or beside it (`rope_scaling`). */
function nestedRope(fields: Fields, nested: Fields, theta: { min: number; max: number }): RopeConfig {
  const typeKey = nested.has("rope_type") ? "rope_type" : "type";
  const type = nested.raw(typeKey);
  if (type !== "yarn" && type !== "default") nested.refuse(typeKey, '"yarn" or "default"');
  const plain = type === "default";
  const rope = {
    theta: nested.has("rope_theta")
      ? nested.number(["rope_theta"], theta)
      : fields.number(["rope_theta"], theta),
    // Factor 1 makes YaRN the plain rotation: nothing to interpolate, and an attention factor of 1.
    factor: plain ? 1 : nested.number(["factor"], factor),
    originalContextLength:
      nested.has("original_max_position_embeddings") || plain
        ? nested.integer(["original_max_position_embeddings"], { ...original, fallback: 4096 })
        : fields.integer(["initial_context_length"], original),
    // Defaults of transformers' YaRN.
    betaFast: nested.number(["beta_fast"], { ...beta, fallback: 32 }),
    betaSlow: nested.number(["beta_slow"], { ...beta, fallback: 1 }),
    truncate: nested.boolean("truncate", true),
  };
  refuseOtherAttentionFactor(nested, rope.factor);
  return rope;
}

/** cos and sin are scaled by 0.1·ln(factor) + 1 and by nothing else. */
function refuseOtherAttentionFactor(nested: Fields, factor: number): void {
  const ours = 0.1 * Math.log(factor) + 1;
  const stated = nested.raw("attention_factor");
  if (stated !== undefined && !(typeof stated === "number" && Math.abs(stated - ours) < 1e-6))
    nested.refuse("attention_factor", `${ours} (0.1·ln(factor) + 1) or nothing`);
  for (const key of ["mscale", "mscale_all_dim"]) if (nested.has(key)) nested.refuse(key, "no such field");
}

/** The original layout's flat keys; alpha is YaRN's slow bound and beta its fast one. */
function originalRope(fields: Fields, theta: { min: number; max: number }): RopeConfig {
  return {
    theta: fields.number(["rope_theta"], theta),
    factor: fields.number(["rope_scaling_factor"], factor),
    originalContextLength: fields.integer(["initial_context_length"], original),
    betaFast: fields.number(["rope_ntk_beta"], beta),
    betaSlow: fields.number(["rope_ntk_alpha"], beta),
    truncate: false,
  };
}

function parseStopTokens(file: JsonFile, vocabularySize: number): readonly number[] {
  const fields = fieldsOf(file.name, parseJsonObject(file, complaint), complaint);
  const eos = fields.raw("eos_token_id") ?? [];
  const ids: readonly unknown[] = Array.isArray(eos) ? eos : [eos];
  return ids.map((id) => {
    if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < vocabularySize) return id;
    return fields.refuse("eos_token_id", `token ids below vocab_size, ${vocabularySize}`, { found: id });
  });
}
