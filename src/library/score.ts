// Logits of a given text: what the model would say at every position of it. Prefill without sampling.

import type { KvStorage } from "../backend/index.ts";
import { GptOssError } from "../base/index.ts";
import { batchOf, cachePlan, type Model } from "../model/index.ts";

export interface LogitsOptions {
  /** Only the last position. */
  readonly lastOnly?: boolean;
  /** How keys and values are held. Default: bf16. */
  readonly cache?: KvStorage;
  readonly signal?: AbortSignal;
}

/** Positions in one forward pass; their logits are in memory together, 0.8 MB each at 201,088 tokens. */
const chunkTokens = 128;

/**
 * Yields logits, f32 `[positions of a chunk, V]`, chunk after chunk in the order of the positions.
 *
 * Throws `engine/bad-request` for no tokens, `model/too-long`, `backend/bad-index` for ids outside the vocabulary,
 * `backend/out-of-memory`.
 *
 * @example
 * for await (const chunk of logitsOf(model, tokens)) console.log(chunk.length / model.config.vocabularySize);
 */
export async function* logitsOf(
  model: Model,
  tokens: readonly number[],
  options: LogitsOptions = {},
): AsyncGenerator<Float32Array> {
  if (tokens.length === 0) {
    throw new GptOssError("engine/bad-request", {
      message: "there are no tokens",
      hint: "give at least one",
    });
  }
  const storage = options.cache ?? "bf16";
  const cache = model.createCache(
    cachePlan(model.config, { contextTokens: tokens.length, sequences: 1, chunkTokens, storage }),
  );
  try {
    const sequence = cache.open();
    for (let start = 0; start < tokens.length; start += chunkTokens) {
      options.signal?.throwIfAborted();
      const chunk = Int32Array.from(tokens.slice(start, start + chunkTokens));
      const isLast = start + chunkTokens >= tokens.length;
      const batch = batchOf([sequence.append(chunk)]);
      const rows = options.lastOnly ? Int32Array.of(chunk.length - 1) : Int32Array.from(chunk.keys());
      const logits = model.forward({ batch, cache: cache.kv, rows });
      try {
        const values = await model.backend.read(logits);
        if (isLast || !options.lastOnly) yield values;
      } finally {
        model.backend.free(logits);
      }
      sequence.commit();
    }
  } finally {
    cache.close();
  }
}
