// What every operation refuses, for any backend: shapes that do not fit (`backend/bad-shape`, with both numbers) and
// indices outside their table (`backend/bad-index`). Knows shapes only, never storage.

import {
  bytesPerElement,
  elementCount,
  GptOssError,
  type TensorView,
  UnsupportedError,
} from "../base/index.ts";
import type {
  AttentionOptions,
  Batch,
  Experts,
  ExpertViews,
  KvCacheSpec,
  Matrix,
  MoeOptions,
  Rotation,
  Tensor,
  Vector,
} from "./backend.ts";

function expectSize(what: string, actual: number, expected: number): void {
  if (actual !== expected) {
    throw new GptOssError("backend/bad-shape", { message: `${what}: ${actual}, expected ${expected}` });
  }
}

function expectIndex(what: string, index: number, size: number): void {
  if (!(Number.isInteger(index) && index >= 0 && index < size)) {
    throw new GptOssError("backend/bad-index", { message: `${what}: ${index} is outside 0…${size - 1}` });
  }
}

function expectCount(what: string, value: number): void {
  if (!(Number.isInteger(value) && value > 0)) {
    throw new GptOssError("backend/bad-shape", { message: `${what}: ${value}, expected a positive integer` });
  }
}

function expectView(view: TensorView, rank: number, kind: "float" | "bytes"): void {
  const isBytes = view.dtype === "U8";
  if (view.dtype === "I32" || isBytes !== (kind === "bytes")) {
    throw new UnsupportedError({
      message: `${view.name}: stored as ${view.dtype}, expected ${kind === "bytes" ? "U8" : "F32, F16 or BF16"}`,
    });
  }
  expectSize(`${view.name}: number of dimensions`, view.shape.length, rank);
  for (const size of view.shape) expectCount(`${view.name}: size of a dimension`, size);
  const bytes = elementCount(view.shape) * bytesPerElement[view.dtype];
  expectSize(`${view.name}: bytes of [${view.shape.join(", ")}] ${view.dtype}`, view.byteLength, bytes);
}

/** Bytes that `view.read()` gave. */
export function checkBytes(view: TensorView, bytes: Uint8Array): void {
  expectSize(`${view.name}: bytes read`, bytes.byteLength, view.byteLength);
}

export function checkMatrixView(view: TensorView): Matrix {
  expectView(view, 2, "float");
  return { rows: view.shape[0], cols: view.shape[1] };
}

export function checkVectorView(view: TensorView): Vector {
  expectView(view, 1, "float");
  return { length: view.shape[0] };
}

export function checkExpertViews(views: ExpertViews): Experts {
  const { gateUp, gateUpBias, down, downBias } = views;
  expectView(gateUp.blocks, 4, "bytes");
  const [experts, gateUpRows, blocks] = gateUp.blocks.shape;
  const hidden = blocks * 32;
  const intermediate = gateUpRows / 2;
  const expectShape = (view: TensorView, kind: "float" | "bytes", shape: readonly number[]): void => {
    expectView(view, shape.length, kind);
    for (const [axis, size] of shape.entries())
      expectSize(`${view.name}: axis ${axis}`, view.shape[axis], size);
  };
  expectSize(`${gateUp.blocks.name}: bytes of a block`, gateUp.blocks.shape[3], 16);
  expectSize(`${gateUp.blocks.name}: rows, which are pairs`, gateUpRows % 2, 0);
  expectSize(`${gateUp.blocks.name}: expert width, a multiple of 32`, intermediate % 32, 0);
  expectShape(gateUp.scales, "bytes", [experts, gateUpRows, blocks]);
  expectShape(gateUpBias, "float", [experts, gateUpRows]);
  expectShape(down.blocks, "bytes", [experts, hidden, intermediate / 32, 16]);
  expectShape(down.scales, "bytes", [experts, hidden, intermediate / 32]);
  expectShape(downBias, "float", [experts, hidden]);
  return { experts, hidden, intermediate };
}

export function checkCacheSpec(spec: KvCacheSpec): void {
  for (const name of ["kvHeads", "headDim", "blockTokens"] as const) expectCount(`cache ${name}`, spec[name]);
  for (const blocks of spec.groupBlocks) expectCount("cache blocks of a group", blocks);
  for (const group of spec.layerGroups) expectIndex("cache group of a layer", group, spec.groupBlocks.length);
  if (!["bf16", "int8", undefined].includes(spec.storage)) {
    throw new GptOssError("backend/bad-shape", {
      message: `cache storage is ${JSON.stringify(spec.storage)}`,
      hint: "bf16 and int8 are known",
    });
  }
}

export function checkEmbed(table: Matrix, tokens: Int32Array): void {
  for (const token of tokens) expectIndex("embed: token id", token, table.rows);
}

export function checkRmsNorm(x: Tensor, scale: Vector): void {
  expectSize("rmsNorm: length of the scale", scale.length, x.cols);
}

export function checkLinear(x: Tensor, weight: Matrix, bias: Vector | undefined): void {
  expectSize("linear: columns of x", x.cols, weight.cols);
  if (bias !== undefined) expectSize("linear: length of the bias", bias.length, weight.rows);
}

export function checkRope(x: Tensor, headDim: number, rotation: Rotation): void {
  expectCount("rope: head dimension", headDim);
  expectSize("rope: head dimension, which is even", headDim % 2, 0);
  expectSize("rope: columns of x beyond whole heads", x.cols % headDim, 0);
  expectSize("rope: cosines", rotation.cos.length, (x.rows * headDim) / 2);
  expectSize("rope: sines", rotation.sin.length, (x.rows * headDim) / 2);
}

export function checkMoe(x: Tensor, options: MoeOptions): void {
  const { router, routerBias, experts, expertsPerToken } = options;
  expectSize("moe: columns of x", x.cols, experts.hidden);
  expectSize("moe: rows of the router", router.rows, experts.experts);
  expectSize("moe: columns of the router", router.cols, experts.hidden);
  expectSize("moe: length of the router's bias", routerBias.length, experts.experts);
  expectCount("moe: experts per token", expertsPerToken);
  if (expertsPerToken > experts.experts) {
    throw new GptOssError("backend/bad-shape", {
      message: `moe: ${expertsPerToken} experts per token, of ${experts.experts}`,
    });
  }
}

export function checkAdd(a: Tensor, b: Tensor): void {
  expectSize("add: rows", b.rows, a.rows);
  expectSize("add: columns", b.cols, a.cols);
}

export function checkGather(x: Tensor, rows: Int32Array): void {
  for (const row of rows) expectIndex("gather: row", row, x.rows);
}

export function checkAttention(options: AttentionOptions): void {
  const { q, k, v, sinks, cache, layer, batch, window } = options;
  const { kvHeads, headDim, layerGroups } = cache.spec;
  expectIndex("attention: layer", layer, layerGroups.length);
  expectSize("attention: columns of q", q.cols, sinks.length * headDim);
  expectSize("attention: query heads beyond whole groups of key-value heads", sinks.length % kvHeads, 0);
  for (const [name, tensor] of [["k", k] as const, ["v", v] as const]) {
    expectSize(`attention: columns of ${name}`, tensor.cols, kvHeads * headDim);
    expectSize(`attention: rows of ${name}`, tensor.rows, q.rows);
  }
  if (window !== undefined) expectCount("attention: window", window);
  checkBatch(batch, q.rows);
  checkBlocks(batch, options);
}

function checkBatch(batch: Batch, rows: number): void {
  expectSize("attention: rows of the batch", batch.rows, rows);
  let tokens = 0;
  for (const sequence of batch.sequences) tokens += sequence.tokens.length;
  expectSize("attention: tokens of the batch's sequences", tokens, batch.rows);
}

/** Blocks that are written or visible must exist; those behind the window need not. */
function checkBlocks(batch: Batch, { cache, layer, window }: AttentionOptions): void {
  const { layerGroups, groupBlocks, blockTokens } = cache.spec;
  const group = layerGroups[layer];
  for (const { tokens, position, blockTables } of batch.sequences) {
    expectSize("attention: block tables of a sequence", blockTables.length, groupBlocks.length);
    if (tokens.length === 0) continue;
    expectIndex("attention: position", position, Number.MAX_SAFE_INTEGER);
    const table = blockTables[group];
    const end = Math.ceil((position + tokens.length) / blockTokens);
    if (table.length < end) expectSize("attention: length of a block table", table.length, end);
    const firstVisible = window === undefined ? 0 : Math.max(0, position - window + 1);
    for (let i = Math.floor(firstVisible / blockTokens); i < end; i++) {
      expectIndex(`attention: block of positions from ${i * blockTokens}`, table[i], groupBlocks[group]);
    }
  }
}
