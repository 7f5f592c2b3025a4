// A model's weights as the backend's handles, under the names that the forward pass uses.

import type { Backend, Experts, Matrix, MatrixUse, Vector } from "../backend/index.ts";
import type { TensorView } from "../base/index.ts";
import type { Checkpoint } from "../checkpoint/index.ts";

/** A weight `[out, in]` with its bias `[out]`. */
export interface Projection {
  readonly weight: Matrix;
  readonly bias: Vector;
}

export interface LayerWeights {
  /** `[D]` */
  readonly attentionNorm: Vector;
  /** `[H·headDim, D]` */
  readonly query: Projection;
  /** `[K·headDim, D]` */
  readonly key: Projection;
  /** `[K·headDim, D]` */
  readonly value: Projection;
  /** `[H]` */
  readonly sinks: Vector;
  /** `[D, H·headDim]` */
  readonly output: Projection;
  /** `[D]` */
  readonly expertsNorm: Vector;
  /** `[E, D]` */
  readonly router: Projection;
  readonly experts: Experts;
}

export interface Weights {
  /** `[V, D]` */
  readonly embedding: Matrix;
  readonly layers: readonly LayerWeights[];
  /** `[D]` */
  readonly finalNorm: Vector;
  /** `[V, D]` */
  readonly unembedding: Matrix;
}

export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface LoadOptions {
  /** Stops between two tensors; what was loaded stays with the backend until it is closed. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
}

export async function loadWeights(
  checkpoint: Checkpoint,
  backend: Backend,
  { signal, onProgress }: LoadOptions,
): Promise<Weights> {
  const totalBytes = checkpoint.files.reduce((sum, view) => sum + view.byteLength, 0);
  let loadedBytes = 0;
  const load = async <W>(views: readonly TensorView[], run: () => Promise<W>): Promise<W> => {
    signal?.throwIfAborted();
    const weight = await run();
    for (const view of views) loadedBytes += view.byteLength;
    onProgress?.({ loadedBytes, totalBytes });
    return weight;
  };
  const matrix = (name: string, use: MatrixUse = "linear"): Promise<Matrix> => {
    const view = checkpoint.tensor(name);
    return load([view], () => backend.loadMatrix(view, use));
  };
  const vector = (name: string): Promise<Vector> => {
    const view = checkpoint.tensor(name);
    return load([view], () => backend.loadVector(view));
  };
  const projection = async (name: string, use?: MatrixUse): Promise<Projection> => ({
    weight: await matrix(`${name}.weight`, use),
    bias: await vector(`${name}.bias`),
  });
  const experts = (name: string): Promise<Experts> => {
    const view = (part: string): TensorView => checkpoint.tensor(`${name}.${part}`);
    const gateUp = { blocks: view("gate_up_proj_blocks"), scales: view("gate_up_proj_scales") };
    const down = { blocks: view("down_proj_blocks"), scales: view("down_proj_scales") };
    const [gateUpBias, downBias] = [view("gate_up_proj_bias"), view("down_proj_bias")];
    const all = [gateUp.blocks, gateUp.scales, down.blocks, down.scales, gateUpBias, downBias];
    return load(all, () => backend.loadExperts({ gateUp, gateUpBias, down, downBias }));
  };
  const layer = async (name: string): Promise<LayerWeights> => ({
    attentionNorm: await vector(`${name}.input_layernorm.weight`),
    query: await projection(`${name}.self_attn.q_proj`),
    key: await projection(`${name}.self_attn.k_proj`),
    value: await projection(`${name}.self_attn.v_proj`),
    sinks: await vector(`${name}.self_attn.sinks`),
    output: await projection(`${name}.self_attn.o_proj`),
    expertsNorm: await vector(`${name}.post_attention_layernorm.weight`),
    router: await projection(`${name}.mlp.router`, "route"),
    experts: await experts(`${name}.mlp.experts`),
  });

  const embedding = await matrix("model.embed_tokens.weight", "embed");
  const layers: LayerWeights[] = [];
  for (let i = 0; i < checkpoint.config.layers; i++) layers.push(await layer(`model.layers.${i}`));
  const finalNorm = await vector("model.norm.weight");
  const unembedding = await matrix("lm_head.weight");
  return { embedding, layers, finalNorm, unembedding };
}
