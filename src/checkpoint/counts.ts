// How large a model is: parameters by part, bytes on disk, bytes read for each decoded token, bytes of cache.

import { elementCount } from "../base/index.ts";
import type { ModelConfig } from "./config.ts";
import { inventory, type Part, storedTensors } from "./inventory.ts";

export interface ParameterCounts {
  readonly total: number;
  /** Used for one token: the chosen experts, and one row of the embedding counted as nothing, as the model card does. */
  readonly activePerToken: number;
  readonly parts: Readonly<Record<Part, number>>;
}

/** Two values to a byte of `blocks`; `scales` are storage, not parameters. */
export function parameterCounts(config: ModelConfig): ParameterCounts {
  const parts: Record<Part, number> = {
    embedding: 0,
    attention: 0,
    router: 0,
    experts: 0,
    norm: 0,
    unembedding: 0,
  };
  for (const tensor of inventory(config)) {
    if (tensor.name.endsWith("_scales")) continue;
    const values = elementCount(tensor.shape) * (tensor.name.endsWith("_blocks") ? 2 : 1);
    parts[tensor.part] += values;
  }
  const total = Object.values(parts).reduce((sum, count) => sum + count, 0);
  const idleExperts = parts.experts * (1 - config.expertsPerToken / config.experts);
  return { total, activePerToken: total - parts.embedding - idleExperts, parts };
}

/** Bytes of all tensors (the same in both layouts; headers and JSON files not counted). */
export function checkpointBytes(config: ModelConfig): number {
  return storedTensors(config, "huggingface").reduce((sum, tensor) => sum + tensor.byteLength, 0);
}

/** How the dense matrices are held: as published, or in 8 bits with one 16-bit scale per 32 values. */
export type DenseStorage = "bf16" | "q8";

/** Bytes of weights that decoding one token must read. The cache comes on top. */
export function bytesReadPerToken(config: ModelConfig, dense: DenseStorage): number {
  let bytes = 0;
  for (const { part, shape, dtype } of inventory(config)) {
    const values = elementCount(shape);
    if (part === "embedding") bytes += 2 * config.hiddenSize;
    else if (part === "experts")
      bytes += (values * (dtype === "U8" ? 1 : 2) * config.expertsPerToken) / config.experts;
    else bytes += shape.length > 1 && dense === "q8" ? values * (34 / 32) : values * 2;
  }
  return bytes;
}

/** Bytes of key-value cache for one sequence of `contextLength` positions; sliding layers keep only their window. */
export function cacheBytes(config: ModelConfig, contextLength: number, bytesPerValue = 2): number {
  const position = 2 * config.kvHeads * config.headDim * bytesPerValue;
  return config.slides.reduce(
    (sum, slides) =>
      sum + position * (slides ? Math.min(contextLength, config.slidingWindow) : contextLength),
    0,
  );
}
