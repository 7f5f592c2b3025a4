// The tensors that a gpt-oss model of a given shape consists of: names, dtypes and shapes as published, in both layouts.
// This list is the one source for opening, synthesising, converting, verifying and describing checkpoints.

import { bytesPerElement, type DType, elementCount } from "../base/index.ts";
import type { SafetensorsLayout } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";

/** What a tensor belongs to, as people count parameters. */
export type Part = "embedding" | "attention" | "router" | "experts" | "norm" | "unembedding";

/** One tensor by its Hugging Face name, which is the name used everywhere in this package. */
export interface TensorSpec {
  readonly name: string;
  /** As published. Dense tensors (BF16 here) may also be stored as F16 or F32. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly part: Part;
  /** In the original layout: `shape[0]` rows of the tensor `name`, from row `row` on. */
  readonly original: { readonly name: string; readonly row: number };
}

/** One tensor as a file of some layout stores it: the rows of its `members`, one after the other. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly byteLength: number;
  readonly members: readonly TensorSpec[];
}

/** Every tensor of the model, embedding first, then layer by layer. */
export function inventory(config: ModelConfig): readonly TensorSpec[] {
  const { hiddenSize, vocabularySize } = config;
  return [
    spec("embedding", "model.embed_tokens.weight", [vocabularySize, hiddenSize], "embedding.weight"),
    ...Array.from({ length: config.layers }, (_, layer) => layerInventory(config, layer)).flat(),
    spec("norm", "model.norm.weight", [hiddenSize], "norm.scale"),
    spec("unembedding", "lm_head.weight", [vocabularySize, hiddenSize], "unembedding.weight"),
  ];
}

/** How experts are stored: as published, or as Transformers saves them after fine-tuning. */
export type ExpertStorage = "mxfp4" | "bf16";

/** The same tensors as the given layout stores them: one for one, or with q, k and v fused. */
export function storedTensors(
  config: ModelConfig,
  layout: SafetensorsLayout,
  experts: ExpertStorage = "mxfp4",
): readonly StoredTensor[] {
  const groups = new Map<string, TensorSpec[]>();
  const specs = inventory(config);
  for (const tensor of experts === "bf16" ? specs.flatMap(unquantised) : specs) {
    const name = layout === "original" ? tensor.original.name : tensor.name;
    const members = groups.get(name);
    if (members) members.push(tensor);
    else groups.set(name, [tensor]);
  }
  return [...groups].map(([name, members]) => {
    const [first] = members;
    const rows = members.reduce((sum, member) => sum + member.shape[0], 0);
    const shape = [rows, ...first.shape.slice(1)];
    const byteLength = elementCount(shape) * bytesPerElement[first.dtype];
    return { name, dtype: first.dtype, shape, byteLength, members };
  });
}

/**
 * Experts in BF16 are one tensor under the name without `_blocks`, and transposed, `[E, cols, rows]`: Transformers
 * multiplies from the other side.
 */
function unquantised(tensor: TensorSpec): TensorSpec[] {
  if (tensor.name.endsWith("_scales")) return [];
  if (!tensor.name.endsWith("_blocks")) return [tensor];
  const [experts, rows, blocksPerRow] = tensor.shape;
  const name = tensor.name.slice(0, -"_blocks".length);
  return [{ ...tensor, name, dtype: "BF16", shape: [experts, blocksPerRow * 32, rows] }];
}

function layerInventory(config: ModelConfig, layer: number): TensorSpec[] {
  const { hiddenSize: D, intermediateSize: I, experts: E } = config;
  const q = config.heads * config.headDim;
  const kv = config.kvHeads * config.headDim;
  const hf = `model.layers.${layer}.`;
  const original = `block.${layer}.`;
  const dense = (part: Part, name: string, shape: readonly number[], theirs: string, row = 0): TensorSpec =>
    spec(part, hf + name, shape, original + theirs, { row });
  const attention = (name: string, shape: readonly number[], theirs: string, row = 0): TensorSpec =>
    dense("attention", `self_attn.${name}`, shape, `attn.${theirs}`, row);
  /** `[E, rows, cols]` in MXFP4 with one bias per row. */
  const expert = (name: string, rows: number, cols: number, theirs: string): TensorSpec[] => {
    const packed = (suffix: string, shape: readonly number[]): TensorSpec =>
      spec(
        "experts",
        `${hf}mlp.experts.${name}_${suffix}`,
        shape,
        `${original}mlp.${theirs}_weight.${suffix}`,
        {
          dtype: "U8",
        },
      );
    return [
      packed("blocks", [E, rows, cols / 32, 16]),
      packed("scales", [E, rows, cols / 32]),
      dense("experts", `mlp.experts.${name}_bias`, [E, rows], `mlp.${theirs}_bias`),
    ];
  };
  return [
    dense("norm", "input_layernorm.weight", [D], "attn.norm.scale"),
    attention("q_proj.weight", [q, D], "qkv.weight"),
    attention("k_proj.weight", [kv, D], "qkv.weight", q),
    attention("v_proj.weight", [kv, D], "qkv.weight", q + kv),
    attention("q_proj.bias", [q], "qkv.bias"),
    attention("k_proj.bias", [kv], "qkv.bias", q),
    attention("v_proj.bias", [kv], "qkv.bias", q + kv),
    attention("sinks", [config.heads], "sinks"),
    attention("o_proj.weight", [D, q], "out.weight"),
    attention("o_proj.bias", [D], "out.bias"),
    dense("norm", "post_attention_layernorm.weight", [D], "mlp.norm.scale"),
    dense("router", "mlp.router.weight", [E, D], "mlp.gate.weight"),
    dense("router", "mlp.router.bias", [E], "mlp.gate.bias"),
    ...expert("gate_up_proj", 2 * I, D, "mlp1"),
    ...expert("down_proj", D, I, "mlp2"),
  ];
}

function spec(
  part: Part,
  name: string,
  shape: readonly number[],
  original: string,
  { dtype = "BF16" as DType, row = 0 } = {},
): TensorSpec {
  return { name, dtype, shape, part, original: { name: original, row } };
}
