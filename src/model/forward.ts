// The forward pass of gpt-oss, in model order, on one page. Prefill, decode, several sequences at once and scoring are
// this one path: a ragged batch goes in, logits of the rows that are asked for come out. Knows no backend by name, no
// files, and not where blocks come from. After gpt_oss/torch/model.py.
//
// Glossary: T rows of the batch, D hidden size, H query heads, K key-value heads, V vocabulary.

import type { Backend, Batch, KvCache, Rotation, Tensor } from "../backend/index.ts";
import type { ModelConfig } from "../checkpoint/index.ts";
import type { Rotate } from "./rotation.ts";
import type { LayerWeights, Weights } from "./weights.ts";

/** What a loaded model consists of. */
export interface ModelParts {
  readonly config: ModelConfig;
  readonly backend: Backend;
  readonly weights: Weights;
  readonly rotate: Rotate;
}

export interface ForwardInput {
  readonly batch: Batch;
  /** Where the batch's earlier positions are, and its own will be. */
  readonly cache: KvCache;
  /** Rows of the batch whose logits are wanted, in this order. */
  readonly rows: Int32Array;
  /**
   * Sees the residual stream `[T, D]` after each layer; of the last layer only the wanted rows. The tensor lives until
   * the hook returns; a read that was begun may finish later.
   */
  readonly onHidden?: (layer: number, hidden: Tensor) => void;
}

/** → logits `[rows, V]`, owned by the caller. */
export function forward({ config, backend, weights, rotate }: ModelParts, input: ForwardInput): Tensor {
  const { batch, rows, onHidden } = input;
  const rotation = rotate(batch);
  const last = config.layers - 1;

  /** The residual stream after `work`; the old stream and all that was made on the way are freed. */
  const advance = (stream: Tensor, work: () => Tensor): Tensor => {
    const next = backend.scope(work);
    backend.free(stream);
    return next;
  };

  return backend.scope(() => {
    let x = backend.embed(weights.embedding, tokensOf(batch));
    for (const [layer, layerWeights] of weights.layers.entries()) {
      const place: Place = { config, backend, weights: layerWeights, layer, rotation, input };
      x = advance(x, () => {
        const attended = attention(x, place);
        // Keys and values of all rows are stored now; what comes after the last attention concerns the wanted rows only.
        if (layer === last)
          return outputProjection(backend.gather(x, rows), backend.gather(attended, rows), place);
        return outputProjection(x, attended, place);
      });
      x = advance(x, () => mixtureOfExperts(x, place));
      onHidden?.(layer, x);
    }
    const t = backend.rmsNorm(x, weights.finalNorm, config.rmsNormEpsilon);
    return backend.linear(t, weights.unembedding);
  });
}

/** One layer of one call. */
interface Place {
  readonly config: ModelConfig;
  readonly backend: Backend;
  readonly weights: LayerWeights;
  readonly layer: number;
  readonly rotation: Rotation;
  readonly input: ForwardInput;
}

/** What the heads saw: `[T, D]` → `[T, H·headDim]` */
function attention(x: Tensor, { config, backend, weights, layer, rotation, input }: Place): Tensor {
  const { headDim } = config;
  const { query, key, value, sinks } = weights;
  const t = backend.rmsNorm(x, weights.attentionNorm, config.rmsNormEpsilon);
  const q = backend.rope(backend.linear(t, query.weight, query.bias), headDim, rotation);
  const k = backend.rope(backend.linear(t, key.weight, key.bias), headDim, rotation);
  const v = backend.linear(t, value.weight, value.bias);
  // Every other layer sees only the last positions, its own included. The sink of each head is one more logit in its
  // softmax: it takes probability and gives no value, so a head may look at nothing.
  const window = config.slides[layer] ? config.slidingWindow : undefined;
  return backend.attention({ q, k, v, sinks, layer, window, cache: input.cache, batch: input.batch });
}

/** `x` + what the heads saw, projected: `[T, D]` */
function outputProjection(x: Tensor, attended: Tensor, { backend, weights: { output } }: Place): Tensor {
  return backend.add(x, backend.linear(attended, output.weight, output.bias));
}

/** `x` + its experts' answers, weighted: `[T, D]` */
function mixtureOfExperts(x: Tensor, { config, backend, weights }: Place): Tensor {
  const t = backend.rmsNorm(x, weights.expertsNorm, config.rmsNormEpsilon);
  const answers = backend.moe(t, {
    router: weights.router.weight,
    routerBias: weights.router.bias,
    experts: weights.experts,
    expertsPerToken: config.expertsPerToken,
    swigluLimit: config.swigluLimit,
  });
  return backend.add(x, answers);
}

/** `[T]` */
function tokensOf({ sequences, rows }: Batch): Int32Array {
  const tokens = new Int32Array(rows);
  let at = 0;
  for (const sequence of sequences) {
    tokens.set(sequence.tokens, at);
    at += sequence.tokens.length;
  }
  return tokens;
}
