import type { Backend, KvCacheSpec, Tensor } from "../backend/index.ts";
import { GptOssError } from "../base/index.ts";
import type { Checkpoint, ModelConfig } from "../checkpoint/index.ts";
import { createModelCache, type ModelCache } from "./cache.ts";
import { type ForwardInput, forward } from "./forward.ts";
import { createRotate } from "./rotation.ts";
import { type LoadOptions, loadWeights } from "./weights.ts";

/** A checkpoint's weights on a backend, ready to run. Closing the backend ends it. */
export interface Model {
  readonly config: ModelConfig;
  readonly backend: Backend;
  /** See `cachePlan`. Throws `backend/out-of-memory`. */
  createCache(spec: KvCacheSpec): ModelCache;
  /**
   * → logits `[rows, V]`, to be read and freed by the caller. Throws `model/too-long` for positions past the context,
   * `backend/bad-index` for ids outside the vocabulary.
   */
  forward(input: ForwardInput): Tensor;
}

/**
 * Binds the weights to the backend. On failure or abort, what was loaded stays with the backend until it is closed.
 *
 * @example
 * const model = await loadModel(checkpoint, createReferenceBackend());
 * const cache = model.createCache(cachePlan(model.config, { contextTokens: 4096, sequences: 1, chunkTokens: 512 }));
 * const sequence = cache.open();
 * const batch = batchOf([sequence.append(Int32Array.of(1, 2, 3))]);
 * const logits = model.forward({ batch, cache: cache.kv, rows: Int32Array.of(2) });
 * sequence.commit();
 */
export async function loadModel(
  checkpoint: Checkpoint,
  backend: Backend,
  options: LoadOptions = {},
): Promise<Model> {
  const { config } = checkpoint;
  const weights = await loadWeights(checkpoint, backend, options);
  const rotate = createRotate(config.rope, config.headDim);
  return {
    config,
    backend,
    createCache: (spec) => createModelCache(backend, config, spec),
    forward(input) {
      for (const { tokens, position } of input.batch.sequences) {
        if (position + tokens.length > config.contextLength) {
          throw new GptOssError("model/too-long", {
            message: `position ${position + tokens.length - 1} is past the context of ${config.contextLength}`,
            hint: "shorten the conversation",
          });
        }
      }
      return forward({ config, backend, weights, rotate }, input);
    },
  };
}
