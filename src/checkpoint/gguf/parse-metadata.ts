// GGUF metadata → ModelConfig and vocabulary, in llama.cpp's dialect (`gpt-oss`) and in Ollama's first one (`gptoss`).
// The format has no place for some of what a config.json says; there the published models' values are meant.

import { GptOssError } from "../../base/index.ts";
import type { ModelConfig, RopeConfig } from "../config.ts";
import { type Complaint, type Fields, fieldsOf } from "../json.ts";
import { blockValues, configLimits } from "../parse-config.ts";
import { quote } from "../quote.ts";
import type { GgufMetadata } from "./header.ts";
import { type GgufStoredArray, numbersOf, stringsOf } from "./stored-array.ts";
import type { GgufVocabulary } from "./vocabulary.ts";

/** What `general.architecture` says of gpt-oss, and so how tensors are named. */
export type GgufArchitecture = "gpt-oss" | "gptoss";

const complaint: Complaint = {
  code: "checkpoint/bad-config",
  hint: "the file is damaged or not that of a gpt-oss model; fetch it again",
};

export function ggufArchitecture(file: string, metadata: GgufMetadata): GgufArchitecture {
  const stored = metadata.get("general.architecture");
  const name = stored?.type === "string" ? stored.value : undefined;
  if (name === "gpt-oss" || name === "gptoss") return name;
  throw new GptOssError("checkpoint/bad-config", {
    message: `${file}: general.architecture is ${name === undefined ? "missing" : quote(name, 60)}; expected "gpt-oss"`,
    hint: "only gpt-oss models can be run",
  });
}

/** Errors are `checkpoint/bad-config` and name file, key and value. */
export function parseGgufConfig(file: string, metadata: GgufMetadata): ModelConfig {
  const architecture = ggufArchitecture(file, metadata);
  const fields = fieldsOf(file, Object.fromEntries(scalars(metadata)), complaint);
  const { experts: maxExperts, heads: maxHeads, context } = configLimits;
  const key = (name: string): string => `${architecture}.${name}`;
  const integer = (name: string, max: number, fallback?: number): number =>
    fields.integer([key(name)], { min: 1, max, ...(fallback !== undefined && { fallback }) });
  const multiple = (name: string, of: number, max: number): number => {
    const value = integer(name, max);
    return value % of === 0 ? value : fields.refuse(key(name), `a multiple of ${of}`);
  };

  const layers = integer("block_count", configLimits.layers);
  const experts = integer("expert_count", maxExperts);
  const heads = integer("attention.head_count", maxHeads);
  const kvHeads = integer("attention.head_count_kv", heads);
  if (heads % kvHeads !== 0) fields.refuse(key("attention.head_count_kv"), `a divisor of ${heads}`);
  const headDim = multiple("attention.key_length", 2, configLimits.headDim);
  if (integer("attention.value_length", configLimits.headDim, headDim) !== headDim)
    fields.refuse(key("attention.value_length"), `${headDim}, as attention.key_length says`);
  const width = fields.has(key("expert_feed_forward_length"))
    ? "expert_feed_forward_length"
    : "feed_forward_length";
  const vocabularySize = tokenCount(file, metadata);
  return {
    layers,
    hiddenSize: multiple("embedding_length", blockValues, configLimits.width),
    intermediateSize: multiple(width, blockValues, configLimits.width),
    experts,
    expertsPerToken: integer("expert_used_count", experts),
    heads,
    kvHeads,
    headDim,
    vocabularySize,
    contextLength: integer("context_length", context),
    slidingWindow: integer("attention.sliding_window", context),
    // gpt_oss/torch/model.py: even layers slide.
    slides: Array.from({ length: layers }, (_, layer) => layer % 2 === 0),
    rmsNormEpsilon: decimal(
      fields.number([key("attention.layer_norm_rms_epsilon")], { min: 1e-12, max: 1e-2, fallback: 1e-5 }),
    ),
    swigluLimit: 7,
    rope: parseRope(fields, key),
    stopTokens: stopTokens(file, metadata),
  };
}

function parseRope(fields: Fields, key: (name: string) => string): RopeConfig {
  const type = fields.raw(key("rope.scaling.type")) ?? "yarn"; // Ollama's dialect leaves it out
  if (type !== "yarn") fields.refuse(key("rope.scaling.type"), '"yarn"');
  const beta = { min: 1e-3, max: 1e6 };
  const rope = {
    theta: decimal(fields.number([key("rope.freq_base")], { min: 1 + 1e-6, max: 1e12 })),
    factor: decimal(fields.number([key("rope.scaling.factor")], { min: 1, max: 1e6 })),
    originalContextLength: fields.integer([key("rope.scaling.original_context_length")], {
      min: 1,
      max: configLimits.context,
    }),
    betaFast: decimal(fields.number([key("rope.scaling.yarn_beta_fast")], { ...beta, fallback: 32 })),
    betaSlow: decimal(fields.number([key("rope.scaling.yarn_beta_slow")], { ...beta, fallback: 1 })),
    truncate: false,
  };
  if (rope.betaFast <= rope.betaSlow)
    fields.refuse(key("rope.scaling.yarn_beta_fast"), `more than ${rope.betaSlow}`);
  return rope;
}

/** The decimal number that was rounded to this f32: 1e-5 is stored as 0.0000099999997…. */
function decimal(stored: number): number {
  const short = Number(stored.toPrecision(7));
  return Math.fround(short) === Math.fround(stored) ? short : stored;
}

/** The vocabulary is as large as its list; no key says so. */
function tokenCount(file: string, metadata: GgufMetadata): number {
  const { length } = array(file, metadata, "tokenizer.ggml.tokens");
  if (length >= 1 && length <= configLimits.vocabulary) return length;
  throw new GptOssError("checkpoint/bad-config", {
    message: `${file}: tokenizer.ggml.tokens lists ${length} tokens; expected 1 to ${configLimits.vocabulary}`,
    hint: complaint.hint,
  });
}

/** Ollama lists them; llama.cpp's files name one, and llama.cpp finds the others by their texts, as is done here. */
function stopTokens(file: string, metadata: GgufMetadata): readonly number[] {
  const tokens = array(file, metadata, "tokenizer.ggml.tokens");
  const stored = metadata.get("tokenizer.ggml.eos_token_ids");
  const listed = stored?.type === "array" ? numbersOf(stored) : undefined;
  const valid = (id: unknown): id is number =>
    typeof id === "number" && Number.isInteger(id) && id >= 0 && id < tokens.length;
  if (listed && listed.length < 100 && listed.every(valid)) return listed;
  const texts = stringsOf(tokens) ?? [];
  return ["<|return|>", "<|endoftext|>", "<|call|>"].map((text) => texts.lastIndexOf(text)).filter(valid);
}

/** Decodes the token lists: a tenth of a second for the published vocabulary. */
export function parseGgufVocabulary(file: string, metadata: GgufMetadata): GgufVocabulary {
  const tokens = stringsOf(array(file, metadata, "tokenizer.ggml.tokens"));
  const merges = stringsOf(array(file, metadata, "tokenizer.ggml.merges"));
  const types = numbersOf(array(file, metadata, "tokenizer.ggml.token_type"));
  if (!tokens || !merges || !types || types.length !== tokens.length)
    throw new GptOssError("checkpoint/bad-config", {
      message: `${file}: tokenizer.ggml.tokens, token_type and merges are not lists of strings, numbers and strings`,
      hint: complaint.hint,
    });
  const text = (key: string): string | undefined => {
    const stored = metadata.get(`tokenizer.ggml.${key}`);
    return stored?.type === "string" ? stored.value : undefined;
  };
  return { tokens, types, merges, model: text("model"), splitter: text("pre") };
}

function array(file: string, metadata: GgufMetadata, key: string): GgufStoredArray {
  const stored = metadata.get(key);
  if (stored?.type === "array") return stored;
  throw new GptOssError("checkpoint/bad-config", {
    message: `${file}: ${key} is missing or no list`,
    hint: "the file has no tokenizer, or is not that of a gpt-oss model",
  });
}

function* scalars(metadata: GgufMetadata): Generator<[string, unknown]> {
  for (const [key, { type, ...stored }] of metadata) {
    if (type === "array" || !("value" in stored)) continue;
    yield [key, typeof stored.value === "bigint" ? Number(stored.value) : stored.value];
  }
}
