// The key-value cache of one model: how large it must be, and the sequences that live in it. Knows the config and
// blocks; the numbers themselves belong to the backend.

import type { Backend, Batch, BatchSequence, KvCache, KvCacheSpec, KvStorage } from "../backend/index.ts";
import type { ModelConfig } from "../checkpoint/index.ts";
import { createBlockPool } from "./block-pool.ts";
import { type CacheGroup, createSequenceCache, type SequenceCache } from "./sequence-cache.ts";

/** Layers that slide share one kind of block table, layers that see everything the other. */
const slidingGroup = 0;
const fullGroup = 1;

export interface CacheSize {
  /** Positions held at once, over all sequences together. */
  readonly contextTokens: number;
  /** Sequences open at once, forks included. */
  readonly sequences: number;
  /** The most tokens that one batch appends. */
  readonly chunkTokens: number;
  /** Tokens in one block; default 32. */
  readonly blockTokens?: number;
  /** Default: bf16. */
  readonly storage?: KvStorage;
}

/**
 * The cache that serves so many tokens: blocks by group (0 slides, 1 sees everything). `backend.cacheBytes` says what
 * memory it takes. Sliding layers need room for a window a sequence and one chunk, however long the sequences grow.
 */
export function cachePlan(config: ModelConfig, size: CacheSize): KvCacheSpec {
  const { contextTokens, sequences, chunkTokens, blockTokens = 32, storage = "bf16" } = size;
  // A sequence that is not aligned with its blocks fills one more in part.
  const full = Math.ceil(contextTokens / blockTokens) + sequences - 1;
  // A window may begin and end within a block, and so may what is appended.
  const windows = sequences * (Math.ceil(config.slidingWindow / blockTokens) + 2);
  const sliding = windows + Math.ceil(chunkTokens / blockTokens);
  const groupBlocks: number[] = [];
  groupBlocks[slidingGroup] = Math.min(sliding, full);
  groupBlocks[fullGroup] = full;
  return {
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    blockTokens,
    layerGroups: config.slides.map((slides) => (slides ? slidingGroup : fullGroup)),
    groupBlocks,
    storage,
  };
}

export interface ModelCache {
  readonly kv: KvCache;
  /** By group: blocks that no sequence holds. */
  readonly freeBlocks: readonly number[];
  /** A new, empty sequence. */
  open(): SequenceCache;
  /** Frees the backend's memory; the sequences end with it. */
  close(): void;
}

export function createModelCache(backend: Backend, config: ModelConfig, spec: KvCacheSpec): ModelCache {
  const kv = backend.createCache(spec);
  const groups = spec.groupBlocks.map(
    (blocks, group): CacheGroup => ({
      pool: createBlockPool(blocks),
      window: group === slidingGroup ? config.slidingWindow : undefined,
    }),
  );
  return {
    kv,
    get freeBlocks() {
      return groups.map(({ pool }) => pool.free);
    },
    open: () => createSequenceCache(groups, spec.blockTokens),
    close: () => backend.freeCache(kv),
  };
}

/** Sequences side by side, in the order of their rows. */
export function batchOf(sequences: readonly BatchSequence[]): Batch {
  return { sequences, rows: sequences.reduce((rows, { tokens }) => rows + tokens.length, 0) };
}
