// Finds every tensor of the inventory among the tensors of the files, whatever the layout, and checks dtype and shape.

import { type DType, GptOssError, type TensorView } from "../base/index.ts";
import { unquantisedExpertViews } from "./bf16-experts.ts";
import type { SafetensorsLayout } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import { type ExpertStorage, type StoredTensor, storedTensors } from "./inventory.ts";
import type { OnRounding } from "./numbers/rounding.ts";
import { formatShape, quote } from "./quote.ts";
import type { CollectedTensors } from "./safetensors/collect.ts";
import { rowsOf } from "./tensor-views.ts";

export interface StoredTensors extends CollectedTensors {
  /** What to call the checkpoint in errors. */
  readonly name: string;
  readonly layout: SafetensorsLayout;
  /** Told when experts that are not MXFP4 are rounded to it. */
  readonly onRounding?: OnRounding | undefined;
}

/** Dense tensors are published as BF16, but fine-tunes come in other floats. MXFP4 has one form. */
const accepted: Readonly<Record<DType, readonly DType[]>> = {
  BF16: ["BF16", "F32", "F16"],
  U8: ["U8"],
  F32: ["F32"],
  F16: ["F16"],
  I32: ["I32"],
};

/** → every tensor of a model of this config by its Hugging Face name. */
export function bindTensors(config: ModelConfig, stored: StoredTensors): ReadonlyMap<string, TensorView> {
  const expected = storedTensors(config, stored.layout, expertStorage(stored));
  refuseMissing(expected, stored);
  refuseMoreLayers(config, stored);
  const bound = new Map<string, TensorView>();
  for (const tensor of expected) {
    const view = stored.tensors.get(tensor.name);
    checkKind(tensor, view?.dtype ?? stored.unreadable.get(tensor.name), stored);
    if (view) bindOne(tensor, view, { stored, bound });
  }
  for (const view of [...bound.values()]) {
    if (!/\.experts\.(gate_up|down)_proj$/.test(view.name)) continue;
    bound.delete(view.name);
    for (const part of unquantisedExpertViews(view, stored.onRounding)) bound.set(part.name, part);
  }
  return bound;
}

/** Transformers writes fine-tuned experts as `gate_up_proj` in BF16, in place of `gate_up_proj_blocks` and `_scales`. */
function expertStorage({ tensors, layout }: StoredTensors): ExpertStorage {
  const isUnquantised = layout === "huggingface" && tensors.has("model.layers.0.mlp.experts.gate_up_proj");
  return isUnquantised ? "bf16" : "mxfp4";
}

/** The layout whose names these are. */
export function layoutOf(tensors: ReadonlyMap<string, TensorView>): SafetensorsLayout {
  return tensors.has("embedding.weight") ? "original" : "huggingface";
}

function bindOne(
  tensor: StoredTensor,
  view: TensorView,
  { stored, bound }: { stored: StoredTensors; bound: Map<string, TensorView> },
): void {
  if (!isSameShape(tensor.shape, view.shape))
    throw new GptOssError("checkpoint/wrong-shape", {
      message: `${stored.name}: tensor ${quote(tensor.name)} is ${formatShape(view.shape)}; config.json makes it ${formatShape(tensor.shape)}`,
      hint: "config.json and the weights are of different models",
    });
  for (const member of tensor.members) {
    const whole = tensor.members.length === 1;
    const rows = { row: member.original.row, rows: member.shape[0] };
    bound.set(member.name, whole ? { ...view, name: member.name } : rowsOf(view, member.name, rows));
  }
}

function checkKind(tensor: StoredTensor, dtype: string | undefined, stored: StoredTensors): void {
  const fitting: readonly string[] = accepted[tensor.dtype];
  if (dtype !== undefined && fitting.includes(dtype)) return;
  throw new GptOssError("checkpoint/wrong-dtype", {
    message: `${stored.name}: tensor ${quote(tensor.name)} is ${dtype}; expected ${fitting.join(" or ")}`,
    hint: "the checkpoint is not in a published form of gpt-oss",
  });
}

function refuseMissing(expected: readonly StoredTensor[], stored: StoredTensors): void {
  const missing = expected
    .map((tensor) => tensor.name)
    .filter((name) => !stored.tensors.has(name) && !stored.unreadable.has(name));
  if (missing.length === 0) return;
  const [first] = missing;
  const others = missing.length > 1 ? ` and ${missing.length - 1} more` : "";
  throw new GptOssError("checkpoint/missing-tensor", {
    message: `${stored.name}: tensor ${quote(first)}${others} missing, ${expected.length} expected`,
    hint: "a file is missing, a model.safetensors lies beside the shards (it goes first), or config.json is another model's",
  });
}

/** Leaving out the last layers would give wrong answers quietly. */
function refuseMoreLayers(config: ModelConfig, stored: StoredTensors): void {
  for (const name of stored.tensors.keys()) {
    const layer = /^(?:model\.layers|block)\.(\d+)\./.exec(name)?.[1];
    if (layer === undefined || Number(layer) < config.layers) continue;
    throw new GptOssError("checkpoint/bad-config", {
      message: `${stored.name}: config.json says ${config.layers} layers, but there is a tensor ${quote(name)}`,
      hint: "config.json and the weights are of different models",
    });
  }
}

function isSameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
