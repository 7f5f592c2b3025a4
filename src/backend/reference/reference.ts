// The reference backend: plain TypeScript, the oracle that every faster backend is compared with.
// Precision: values between operations are f32; inside an operation everything is f64. Weights stay as stored.
// Here handles become arrays; the arithmetic is one operation a file beside this one.

import { GptOssError } from "../../base/index.ts";
import type { Backend, Experts, KvCache, KvCacheSpec, Matrix, Tensor, Vector } from "../backend.ts";
import * as check from "../checks.ts";
import { createHandles, createTensors } from "../handles.ts";
import { add } from "./add.ts";
import { attention, type LayerCache } from "./attention.ts";
import { type Dense, loadDense } from "./dense.ts";
import { embed } from "./embed.ts";
import { gather } from "./gather.ts";
import { linear } from "./linear.ts";
import { moe } from "./moe.ts";
import { loadStoredExperts, type StoredExperts } from "./mxfp4.ts";
import { rmsNorm } from "./rms-norm.ts";
import { rope } from "./rope.ts";
import { decodeRow } from "./row-source.ts";

/** Never fails to create: it needs nothing but JavaScript. */
export function createReferenceBackend(): Backend {
  const tensors = createTensors<Float32Array>();
  const dense = createHandles<Matrix | Vector, Dense>("weight");
  const experts = createHandles<Experts, StoredExperts>("weight");
  const caches = createHandles<KvCache, readonly LayerCache[]>("cache");

  const tensor = (cols: number, values: Float32Array): Tensor =>
    tensors.add(values.length / cols, cols, values, values.byteLength);

  return {
    name: "reference",
    description: "plain TypeScript, one thread, f64 inside operations; made to be read, not to be fast",
    cheapRows: 1,

    async loadMatrix(view) {
      const handle = check.checkMatrixView(view);
      const stored = await loadDense(view);
      return dense.add(handle, stored, stored.bytes) as Matrix;
    },
    async loadVector(view) {
      const handle = check.checkVectorView(view);
      const stored = await loadDense(view);
      return dense.add(handle, stored, stored.bytes) as Vector;
    },
    async loadExperts(views) {
      const handle = check.checkExpertViews(views);
      const stored = await loadStoredExperts(views, handle);
      return experts.add(handle, stored, stored.bytes);
    },

    cacheBytes,
    createCache(spec) {
      check.checkCacheSpec(spec);
      return caches.add({ spec }, allocateCache(spec), cacheBytes(spec));
    },
    freeCache: caches.free,

    embed(table, tokens) {
      const stored = dense.get(table);
      check.checkEmbed(table, tokens);
      return tensor(table.cols, embed(stored, tokens));
    },
    rmsNorm(x, scale, epsilon) {
      const values = tensors.get(x);
      const stored = dense.get(scale);
      check.checkRmsNorm(x, scale);
      return tensor(x.cols, rmsNorm(values, decodeRow(stored, 0), epsilon));
    },
    linear(x, weight, bias) {
      const values = tensors.get(x);
      const stored = dense.get(weight);
      const storedBias = bias && dense.get(bias);
      check.checkLinear(x, weight, bias);
      return tensor(weight.rows, linear(values, stored, storedBias));
    },
    rope(x, headDim, rotation) {
      const values = tensors.get(x);
      check.checkRope(x, headDim, rotation);
      return tensor(x.cols, rope(values, headDim, x.cols, rotation));
    },
    attention(options) {
      const { cache, layer, batch, window } = options;
      const [q, k, v] = [tensors.get(options.q), tensors.get(options.k), tensors.get(options.v)];
      const sinks = dense.get(options.sinks);
      const layers = caches.get(cache);
      check.checkAttention(options);
      const out = attention({
        q,
        k,
        v,
        window,
        sinks: decodeRow(sinks, 0),
        cache: layers[layer],
        spec: cache.spec,
        group: cache.spec.layerGroups[layer],
        sequences: batch.sequences,
      });
      return tensor(options.q.cols, out);
    },
    moe(x, options) {
      const values = tensors.get(x);
      const [router, routerBias] = [dense.get(options.router), dense.get(options.routerBias)];
      const stored = experts.get(options.experts);
      check.checkMoe(x, options);
      const { expertsPerToken, swigluLimit } = options;
      const parameters = { router, routerBias, stored, shape: options.experts, expertsPerToken, swigluLimit };
      return tensor(x.cols, moe(values, parameters));
    },
    add(a, b) {
      const [left, right] = [tensors.get(a), tensors.get(b)];
      check.checkAdd(a, b);
      return tensor(a.cols, add(left, right));
    },
    gather(x, rows) {
      const values = tensors.get(x);
      check.checkGather(x, rows);
      return tensor(x.cols, gather(values, x.cols, rows));
    },

    scope: tensors.scope,
    free: tensors.free,
    read: async (x) => tensors.get(x).slice(),

    usage: () => ({
      tensors: tensors.count,
      weights: dense.count + experts.count,
      caches: caches.count,
      bytes: tensors.bytes + dense.bytes + experts.bytes + caches.bytes,
    }),
    async close() {
      for (const handles of [tensors, dense, experts, caches]) handles.close();
    },
  };
}

const bytesPerValue = 4;

function layerValues(
  { kvHeads, headDim, blockTokens, layerGroups, groupBlocks }: KvCacheSpec,
  layer: number,
): number {
  return groupBlocks[layerGroups[layer]] * blockTokens * kvHeads * headDim;
}

function cacheBytes(spec: KvCacheSpec): number {
  return spec.layerGroups.reduce((sum, _, layer) => sum + 2 * layerValues(spec, layer) * bytesPerValue, 0);
}

function allocateCache(spec: KvCacheSpec): LayerCache[] {
  try {
    return spec.layerGroups.map((_, layer) => ({
      keys: new Float32Array(layerValues(spec, layer)),
      values: new Float32Array(layerValues(spec, layer)),
    }));
  } catch (cause) {
    throw new GptOssError("backend/out-of-memory", {
      message: `no memory for a key-value cache of ${cacheBytes(spec)} bytes`,
      hint: "a shorter context or fewer sequences need less",
      cause,
    });
  }
}
