// Finds every tensor of the inventory among the tensors of GGUF files, in either dialect, and checks types and shapes.

import { elementCount, GptOssError, type TensorView } from "../../base/index.ts";
import { computedView } from "../computed-view.ts";
import type { ModelConfig } from "../config.ts";
import { inventory, type TensorSpec } from "../inventory.ts";
import { formatShape, quote } from "../quote.ts";
import { rowsOf } from "../tensor-views.ts";
import type { GgufTensor } from "./collect.ts";
import { type DecodeOptions, denseView } from "./dense-view.ts";
import {
  type ExpertMatrix,
  expertViews,
  halfOfRows,
  type TypedGgufTensor,
  wholeRows,
} from "./expert-views.ts";
import { type GgmlType, ggmlTypes } from "./format.ts";
import { expertNames, fusedQkv, ggufNames, splitLayer } from "./names.ts";
import type { GgufArchitecture } from "./parse-metadata.ts";

export interface GgufTensors extends DecodeOptions {
  /** What to call the file in errors. */
  readonly name: string;
  readonly architecture: GgufArchitecture;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** → every tensor of a model of this config by its Hugging Face name. */
export function bindGguf(config: ModelConfig, stored: GgufTensors): ReadonlyMap<string, TensorView> {
  refuseMoreLayers(config, stored);
  const bound = new Map<string, TensorView>();
  for (const spec of inventory(config)) {
    if (spec.name.endsWith("_scales")) continue; // come with their blocks
    for (const view of viewsOf(spec, config, stored)) bound.set(view.name, view);
  }
  return bound;
}

function viewsOf(spec: TensorSpec, config: ModelConfig, stored: GgufTensors): readonly TensorView[] {
  const { layer, rest } = splitLayer(spec.name);
  const inLayer = (part: string): string => `blk.${layer}.${part}`;
  switch (rest) {
    case "mlp.experts.gate_up_proj_blocks":
    case "mlp.experts.down_proj_blocks":
      return expertViews(expertMatrix(spec, inLayer, stored), stored.onRounding);
    case "mlp.experts.gate_up_proj_bias":
      return [gateUpBias(spec, inLayer, stored)];
    case "mlp.experts.down_proj_bias":
      return [dense(spec, find([inLayer(`${expertNames.down}.bias`)], stored), stored)];
    default:
      return [attentionOrOuter(spec, config, stored)];
  }
}

/** q, k and v may be rows of one tensor. */
function attentionOrOuter(spec: TensorSpec, config: ModelConfig, stored: GgufTensors): TensorView {
  const names = ggufNames(spec.name);
  const { layer, rest } = splitLayer(spec.name);
  const match = /^self_attn\.([qkv])_proj\.(weight|bias)$/.exec(rest);
  const fused = match && stored.tensors.get(`blk.${layer}.${fusedQkv}.${match[2]}`);
  if (!fused || stored.tensors.has(names[0])) return dense(spec, find(names, stored), stored);
  const kv = config.kvHeads * config.headDim;
  const rows = config.heads * config.headDim + 2 * kv;
  const whole = { ...spec, shape: [rows, ...spec.shape.slice(1)] };
  const view = dense(whole, typed(fused, stored), stored);
  return rowsOf(view, spec.name, { row: spec.original.row, rows: spec.shape[0] });
}

function dense(spec: TensorSpec, tensor: TypedGgufTensor, stored: GgufTensors): TensorView {
  checkShape(tensor, spec.shape, stored);
  return denseView(spec.name, tensor, stored);
}

type InLayer = (part: string) => string;

/** gate_up is two tensors, or one with rows that alternate (Ollama) or with all gate rows first (llama.cpp). */
function expertMatrix(spec: TensorSpec, inLayer: InLayer, stored: GgufTensors): ExpertMatrix {
  const [experts, rows, blocksPerRow] = spec.shape;
  const matrix = { name: spec.name.slice(0, -"_blocks".length), experts, rows, blocksPerRow };
  const get = (part: string, ofRows: number): TypedGgufTensor => {
    const tensor = find([inLayer(`${part}.weight`)], stored);
    checkShape(tensor, [experts, ofRows, blocksPerRow * 32], stored);
    return tensor;
  };
  const { gate, up, gateUp, down } = expertNames;
  if (spec.name.includes(".down_proj")) return { ...matrix, parts: [wholeRows(get(down, rows))] };
  if (!stored.tensors.has(inLayer(`${gateUp}.weight`)))
    return { ...matrix, parts: [wholeRows(get(gate, rows / 2)), wholeRows(get(up, rows / 2))] };
  const both = get(gateUp, rows);
  if (stored.architecture === "gptoss") return { ...matrix, parts: [wholeRows(both)] };
  return { ...matrix, parts: [halfOfRows(both, 0), halfOfRows(both, 1)] };
}

/** One value for each row of gate_up, `[E, 2·I]`; arranged like the rows. */
function gateUpBias(spec: TensorSpec, inLayer: InLayer, stored: GgufTensors): TensorView {
  const [experts, rows] = spec.shape;
  const part = (name: string, shape: readonly number[]): TensorView =>
    dense({ ...spec, shape }, find([inLayer(`${name}.bias`)], stored), stored);
  const { gate, up, gateUp } = expertNames;
  const fused = stored.tensors.has(inLayer(`${gateUp}.bias`));
  if (fused && stored.architecture === "gptoss") return part(gateUp, spec.shape);
  if (!fused)
    return alternating(spec, [part(gate, [experts, rows / 2]), part(up, [experts, rows / 2])], [0, 0]);
  const both = part(gateUp, spec.shape);
  return alternating(spec, [both, both], [0, rows / 2]);
}

/** Elements of two views in turns; of each expert, those from `starts` on. */
function alternating(
  { name, shape }: TensorSpec,
  views: readonly [TensorView, TensorView],
  starts: readonly [number, number],
): TensorView {
  const [, rows] = shape;
  const [{ dtype }] = views;
  const width = views[0].byteLength / elementCount(views[0].shape);
  return computedView({
    name,
    dtype,
    shape,
    unitBytes: rows * width,
    make: async (first, count) => {
      const out = new Uint8Array(count * rows * width);
      for (const [turn, view] of views.entries()) {
        const perExpert = view.shape[1] * width;
        const bytes = await view.read(first * perExpert, (first + count) * perExpert);
        for (let i = 0; i < (count * rows) / 2; i++) {
          const [expert, element] = [Math.floor(i / (rows / 2)), i % (rows / 2)];
          const from = expert * perExpert + (starts[turn] + element) * width;
          out.set(bytes.subarray(from, from + width), (2 * i + turn) * width);
        }
      }
      return out;
    },
  });
}

function find(names: readonly string[], stored: GgufTensors): TypedGgufTensor {
  for (const name of names) {
    const tensor = stored.tensors.get(name);
    if (tensor) return typed(tensor, stored);
  }
  throw new GptOssError("checkpoint/missing-tensor", {
    message: `${stored.name}: tensor ${quote(names[0])} is missing`,
    hint: "a part of the file is missing, or it is not a gpt-oss model",
  });
}

function typed(tensor: GgufTensor, stored: GgufTensors): TypedGgufTensor {
  const { type, typeId, name } = tensor;
  if (type !== undefined) return { ...tensor, type };
  throw new GptOssError("checkpoint/wrong-dtype", {
    message: `${stored.name}: tensor ${quote(name)} has ggml's storage type ${typeId}; those that can be read are ${readable}`,
    hint: "take a file with another quantisation; MXFP4 experts with Q8_0 are usual",
  });
}

const readable = (Object.keys(ggmlTypes) as GgmlType[]).filter((type) => type !== "MXFP4_OLLAMA").join(", ");

function checkShape(tensor: GgufTensor, shape: readonly number[], stored: GgufTensors): void {
  if (shape.length === tensor.shape.length && shape.every((size, axis) => size === tensor.shape[axis]))
    return;
  throw new GptOssError("checkpoint/wrong-shape", {
    message: `${stored.name}: tensor ${quote(tensor.name)} is ${formatShape(tensor.shape)}; the metadata makes it ${formatShape(shape)}`,
    hint: "the file's metadata and weights are of different models",
  });
}

/** Leaving out the last layers would give wrong answers quietly. */
function refuseMoreLayers(config: ModelConfig, stored: GgufTensors): void {
  for (const name of stored.tensors.keys()) {
    const layer = /^blk\.(\d+)\./.exec(name)?.[1];
    if (layer === undefined || Number(layer) < config.layers) continue;
    throw new GptOssError("checkpoint/bad-config", {
      message: `${stored.name}: its metadata says ${config.layers} layers, but there is a tensor ${quote(name)}`,
      hint: "the file's metadata and weights are of different models",
    });
  }
}
