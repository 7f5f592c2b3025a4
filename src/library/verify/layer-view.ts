// One layer of a checkpoint as a checkpoint of its own, whose "embedding" is the residual stream that reaches the layer:
// token t stands for row t. So a layer runs by the model's one forward pass, in the memory of one layer.

import type { TensorView } from "../../base/index.ts";
import { bf16ToF32, f16ToF32 } from "../../base/index.ts";
import type { Checkpoint } from "../../checkpoint/index.ts";

/** The residual stream of some tokens, `[T, D]`. */
export interface Stream {
  readonly rows: number;
  readonly values: Float32Array;
}

export function layerView(checkpoint: Checkpoint, layer: number, stream: Stream): Checkpoint {
  const { hiddenSize, slides } = checkpoint.config;
  const config = { ...checkpoint.config, layers: 1, slides: [slides[layer]], vocabularySize: stream.rows };
  const own = new Map([
    ["model.embed_tokens.weight", memoryView("residual stream", stream.values, [stream.rows, hiddenSize])],
    // Logits are not asked for, but a model has them.
    ["lm_head.weight", memoryView("no logits", new Float32Array(hiddenSize), [1, hiddenSize])],
  ]);
  return {
    ...checkpoint,
    config,
    files: [],
    tensor: (name) =>
      own.get(name) ?? checkpoint.tensor(name.replace(/^model\.layers\.0\./, `model.layers.${layer}.`)),
    close: async () => {},
  };
}

/** The embeddings of the tokens: only their rows are read. */
export async function embed(checkpoint: Checkpoint, tokens: readonly number[]): Promise<Stream> {
  const view = checkpoint.tensor("model.embed_tokens.weight");
  const width = checkpoint.config.hiddenSize;
  const rowBytes = view.byteLength / view.shape[0];
  const values = new Float32Array(tokens.length * width);
  for (const [row, token] of tokens.entries())
    values.set(decode(view.dtype, await view.read(token * rowBytes, (token + 1) * rowBytes)), row * width);
  return { rows: tokens.length, values };
}

function decode(dtype: TensorView["dtype"], bytes: Uint8Array): Float32Array {
  const { buffer, byteLength } = bytes.slice();
  if (dtype === "F32") return new Float32Array(buffer, 0, byteLength / 4);
  return Float32Array.from(
    new Uint16Array(buffer, 0, byteLength / 2),
    dtype === "BF16" ? bf16ToF32 : f16ToF32,
  );
}

export function memoryView(name: string, values: Float32Array, shape: readonly number[]): TensorView {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return {
    name,
    dtype: "F32",
    shape,
    byteLength: bytes.length,
    read: async (start = 0, end = bytes.length) => bytes.slice(start, end),
  };
}

/** Some rows of a tensor; unlike the whole, they fit into memory. */
export function someRows(view: TensorView, first: number, count: number): TensorView {
  const rowBytes = view.byteLength / view.shape[0];
  const { location, stored: _, ...whole } = view;
  return {
    ...whole,
    shape: [count, ...view.shape.slice(1)],
    byteLength: count * rowBytes,
    ...(location && { location: { ...location, offset: location.offset + first * rowBytes } }),
    read: (start = 0, end = count * rowBytes) => view.read(first * rowBytes + start, first * rowBytes + end),
  };
}
