// The arithmetic seam: what a transformer of this architecture needs, as coarse operations on opaque buffers.
// An operation only enqueues; `read` is the one call that waits. Errors of enqueued work surface at the next `read`.
// A backend never knows checkpoints, what a token means, or who owns a sequence.
//
// Glossary: T tokens (rows of the batch; may be 0), D hidden size, H query heads, K key-value heads, E experts,
// V vocabulary.

import type { TensorView } from "../base/index.ts";

/** Activations on the device, `[rows, cols]` row-major, f32 to the reader. Made by operations, freed by `scope`. */
export interface Tensor {
  readonly rows: number;
  readonly cols: number;
}

/** A dense weight `[rows, cols]` = `[out, in]`, in whatever storage the backend computes on. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
}

/**
 * What a matrix is for, so that a backend can choose how to hold it: `linear` multiplies activations and may be held in
 * fewer bits; `embed` is only looked up; `route` decides between experts, where rounding would change the choice.
 */
export type MatrixUse = "linear" | "embed" | "route";

/** A weight of one dimension: a bias, a norm's scale, the sinks. */
export interface Vector {
  readonly length: number;
}

/** The MXFP4 weights of one layer's experts. */
export interface Experts {
  readonly experts: number;
  readonly hidden: number;
  readonly intermediate: number;
}

/** MXFP4 in the file's own layout: `blocks` U8 `[E, rows, cols/32, 16]`, `scales` U8 `[E, rows, cols/32]`. */
export interface Mxfp4View {
  readonly blocks: TensorView;
  readonly scales: TensorView;
}

export interface ExpertViews {
  /** `[E, 2·I, D]`; rows alternate gate, linear, gate, linear… */
  readonly gateUp: Mxfp4View;
  /** `[E, 2·I]` */
  readonly gateUpBias: TensorView;
  /** `[E, D, I]` */
  readonly down: Mxfp4View;
  /** `[E, D]` */
  readonly downBias: TensorView;
}

/** One layer's mixture of experts: route, run the chosen experts, mix. */
export interface MoeOptions {
  /** `[E, D]` */
  readonly router: Matrix;
  readonly routerBias: Vector;
  readonly experts: Experts;
  readonly expertsPerToken: number;
  /** gate is clamped from above, linear on both sides; gpt_oss/torch/model.py swiglu `limit` */
  readonly swigluLimit: number;
}

/** Storage for keys and values, in blocks that sequences find through their block tables. */
export interface KvCache {
  readonly spec: KvCacheSpec;
}

/**
 * How keys and values are kept. `bf16`: with the precision of bfloat16 or better. `int8`: each token's key, and its value,
 * at each head becomes integers from -127 to 127 and a scale, the largest magnitude / 127 in f32; x is kept as
 * round(x / scale), a half going to the even one. Scales below the normal f32 numbers count as 0; where a number is not
 * finite, all that were rounded with it become NaN.
 */
export type KvStorage = "bf16" | "int8";

export interface KvCacheSpec {
  readonly kvHeads: number;
  readonly headDim: number;
  /** Tokens in one block. */
  readonly blockTokens: number;
  /** The group that each layer belongs to. Layers of one group share block tables (and so release blocks together). */
  readonly layerGroups: readonly number[];
  /** Capacity of each group, in blocks; one block holds `blockTokens` positions for every layer of its group. */
  readonly groupBlocks: readonly number[];
  /** Default: bf16. */
  readonly storage?: KvStorage;
}

/** Consecutive tokens of one sequence: rows `[start, start + tokens.length)` of the batch. */
export interface BatchSequence {
  readonly tokens: Int32Array;
  /** Position of `tokens[0]` in its sequence; everything before it is in the cache. */
  readonly position: number;
  /** By group: block id of each run of `blockTokens` positions, -1 where a block behind the window was released. */
  readonly blockTables: readonly Int32Array[];
}

/** A ragged batch: tokens of several sequences side by side. Prefill, decode, both mixed, and scoring are this. */
export interface Batch {
  readonly sequences: readonly BatchSequence[];
  /** T: the sum of the sequences' token counts. */
  readonly rows: number;
}

export interface AttentionOptions {
  /** `[T, H·headDim]`, already roped */
  readonly q: Tensor;
  /** `[T, K·headDim]`, already roped; stored in the cache before anything is attended to */
  readonly k: Tensor;
  /** `[T, K·headDim]` */
  readonly v: Tensor;
  /** `[H]`: one extra logit per query head that takes probability and gives no value */
  readonly sinks: Vector;
  readonly cache: KvCache;
  readonly layer: number;
  readonly batch: Batch;
  /** Visible positions, own included; `undefined` sees all up to its own. */
  readonly window: number | undefined;
}

/** Rotation angles of each row, `[T, headDim/2]`, already scaled by YaRN's attention factor. */
export interface Rotation {
  readonly cos: Float32Array;
  readonly sin: Float32Array;
}

/** What is allocated now; a test that closes everything expects zeros. */
export interface BackendUsage {
  readonly tensors: number;
  readonly weights: number;
  readonly caches: number;
  /** Bytes held beyond memory-mapped files. */
  readonly bytes: number;
}

/** One implementation of the arithmetic. Every operation refuses wrong shapes with `backend/bad-shape`. */
export interface Backend {
  /** Short: `reference`, `native`. */
  readonly name: string;
  /** For people: which kernels run and why. */
  readonly description: string;
  /**
   * So many rows a pass computes for little more than the price of one, because weights are read once for all; up to
   * there, a row's result does not depend on the others. 1 where every row costs its own.
   */
  readonly cheapRows: number;

  /** `use` is `linear` where it is not given. Any matrix works in any operation; another use only costs speed or bits. */
  loadMatrix(view: TensorView, use?: MatrixUse): Promise<Matrix>;
  loadVector(view: TensorView): Promise<Vector>;
  loadExperts(views: ExpertViews): Promise<Experts>;
  /** Bytes that `createCache(spec)` will take: what a command needs can be said before it is taken. */
  cacheBytes(spec: KvCacheSpec): number;
  createCache(spec: KvCacheSpec): KvCache;
  freeCache(cache: KvCache): void;

  /** Rows of `table` `[V, D]` → `[T, D]`. Ids outside the table are refused. */
  embed(table: Matrix, tokens: Int32Array): Tensor;
  /** `x / rms(x) · scale`, in f32 → same shape */
  rmsNorm(x: Tensor, scale: Vector, epsilon: number): Tensor;
  /** `x · weightᵀ + bias` → `[T, weight.rows]` */
  linear(x: Tensor, weight: Matrix, bias?: Vector): Tensor;
  /** Rotates half-split pairs (i, i + headDim/2) of every head → same shape */
  rope(x: Tensor, headDim: number, rotation: Rotation): Tensor;
  /** → `[T, H·headDim]` */
  attention(options: AttentionOptions): Tensor;
  /** `[T, D]` → `[T, D]`: routing, experts and weighting in one operation; nothing is read back. */
  moe(x: Tensor, options: MoeOptions): Tensor;
  add(a: Tensor, b: Tensor): Tensor;
  /** The given rows of `x`, in the given order. */
  gather(x: Tensor, rows: Int32Array): Tensor;

  /** Frees every tensor made while `work` runs, except the one it returns (which belongs to the outer scope). */
  scope(work: () => Tensor): Tensor;
  /** Frees a tensor now; the scope that owns it, if one does, forgets it. */
  free(tensor: Tensor): void;
  /** Waits for all that was enqueued; → f32 `[rows · cols]`. The tensor may be freed while the read is under way. */
  read(tensor: Tensor): Promise<Float32Array>;

  usage(): BackendUsage;
  /** Frees everything, weights included; later calls are refused with `backend/freed`. */
  close(): Promise<void>;
}
