// Grouped-query attention with a cache of blocks, an optional sliding window, and sinks. Keys and values of the batch
// are stored before anything is attended to; each token then sees its own sequence up to its own position.

import type { BatchSequence, KvCacheSpec } from "../backend.ts";
import { roundToInt8 } from "./int8.ts";

/** One layer's share of the cache: `[blocks · blockTokens, K·headDim]` each; f32, rounded where `KvStorage` says so. */
export interface LayerCache {
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

export interface AttentionInputs {
  /** `[T, H·headDim]` */
  readonly q: Float32Array;
  /** `[T, K·headDim]` */
  readonly k: Float32Array;
  /** `[T, K·headDim]` */
  readonly v: Float32Array;
  /** `[H]` */
  readonly sinks: Float32Array;
  readonly cache: LayerCache;
  readonly spec: KvCacheSpec;
  readonly group: number;
  readonly sequences: readonly BatchSequence[];
  readonly window: number | undefined;
}

/** → `[T, H·headDim]` */
export function attention(inputs: AttentionInputs): Float32Array {
  const out = new Float32Array(inputs.q.length);
  let row = 0;
  for (const sequence of inputs.sequences) {
    const slots = cacheSlots(sequence, inputs);
    store(inputs, row, slots.subarray(sequence.position));
    for (let i = 0; i < sequence.tokens.length; i++, row++) {
      const position = sequence.position + i;
      const first = inputs.window === undefined ? 0 : Math.max(0, position - inputs.window + 1);
      attend(inputs, row, slots.subarray(first, position + 1), out);
    }
  }
  return out;
}

/** By position of the sequence: where its key and value start in the cache. Released blocks give negative slots. */
function cacheSlots(
  { tokens, position, blockTables }: BatchSequence,
  { spec, group }: AttentionInputs,
): Int32Array {
  const { blockTokens, kvHeads, headDim } = spec;
  const slots = new Int32Array(position + tokens.length);
  for (let at = 0; at < slots.length; at++) {
    const block = blockTables[group][Math.floor(at / blockTokens)];
    slots[at] = (block * blockTokens + (at % blockTokens)) * kvHeads * headDim;
  }
  return slots;
}

/** Stores the keys and values of rows from `row` on. */
function store({ k, v, cache, spec }: AttentionInputs, row: number, slots: Int32Array): void {
  const width = spec.kvHeads * spec.headDim;
  const kept = (x: Float32Array): Float32Array => (spec.storage === "int8" ? roundToInt8(x, spec) : x);
  slots.forEach((slot, i) => {
    const start = (row + i) * width;
    cache.keys.set(kept(k.subarray(start, start + width)), slot);
    cache.values.set(kept(v.subarray(start, start + width)), slot);
  });
}

/** One token's attention over the visible slots. */
function attend(inputs: AttentionInputs, row: number, slots: Int32Array, out: Float32Array): void {
  const { q, sinks, cache, spec } = inputs;
  const { headDim, kvHeads } = spec;
  const heads = sinks.length;
  const query = new Float64Array(headDim);
  const mixed = new Float64Array(headDim);
  const weights = new Float64Array(slots.length);
  for (let head = 0; head < heads; head++) {
    const start = (row * heads + head) * headDim;
    const kvStart = Math.floor((head * kvHeads) / heads) * headDim;
    for (let i = 0; i < headDim; i++) query[i] = q[start + i] / Math.sqrt(headDim);
    score(query, cache.keys, slots, { offset: kvStart, weights });
    softmaxWithSink(weights, sinks[head]);
    mix(weights, cache.values, slots, { offset: kvStart, mixed });
    out.set(mixed, start);
  }
}

/** `weights[j]` = query · key of slot j. Four keys at once hide the latency of an addition. */
function score(
  query: Float64Array,
  keys: Float32Array,
  slots: Int32Array,
  { offset, weights }: { readonly offset: number; readonly weights: Float64Array },
): void {
  const { length } = query;
  const last = slots.length - 1;
  for (let j = 0; j <= last; j += 4) {
    const k0 = slots[j] + offset;
    const k1 = slots[Math.min(j + 1, last)] + offset;
    const k2 = slots[Math.min(j + 2, last)] + offset;
    const k3 = slots[Math.min(j + 3, last)] + offset;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < length; i++) {
      const value = query[i];
      a += value * keys[k0 + i];
      b += value * keys[k1 + i];
      c += value * keys[k2 + i];
      d += value * keys[k3 + i];
    }
    // Past the end these write nothing: a typed array ignores them.
    weights[j] = a;
    weights[j + 1] = b;
    weights[j + 2] = c;
    weights[j + 3] = d;
  }
}

/** The sink takes part in the softmax as one more logit, and then gives no value. */
function softmaxWithSink(weights: Float64Array, sink: number): void {
  let max = sink;
  for (let j = 0; j < weights.length; j++) max = Math.max(max, weights[j]);
  let total = Math.exp(sink - max);
  for (let j = 0; j < weights.length; j++) total += weights[j] = Math.exp(weights[j] - max);
  for (let j = 0; j < weights.length; j++) weights[j] /= total;
}

/** `mixed` = Σ weights[j] · value of slot j. */
function mix(
  weights: Float64Array,
  values: Float32Array,
  slots: Int32Array,
  { offset, mixed }: { readonly offset: number; readonly mixed: Float64Array },
): void {
  mixed.fill(0);
  const whole = slots.length - (slots.length % 4);
  for (let j = 0; j < whole; j += 4) {
    const [a, b, c, d] = [weights[j], weights[j + 1], weights[j + 2], weights[j + 3]];
    const v0 = slots[j] + offset;
    const v1 = slots[j + 1] + offset;
    const v2 = slots[j + 2] + offset;
    const v3 = slots[j + 3] + offset;
    for (let i = 0; i < mixed.length; i++) {
      mixed[i] += a * values[v0 + i] + b * values[v1 + i] + c * values[v2 + i] + d * values[v3 + i];
    }
  }
  for (let j = whole; j < slots.length; j++) {
    const start = slots[j] + offset;
    for (let i = 0; i < mixed.length; i++) mixed[i] += weights[j] * values[start + i];
  }
}
