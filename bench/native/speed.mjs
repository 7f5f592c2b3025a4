// Prefill and decode of the native backend on a checkpoint. `ofStream` is the median, over the decoded tokens, of the
// bytes that a token must read per second, over a plain streaming read of memory just before and after it.
//
//   node bench/native/speed.mjs CHECKPOINT [--prefill 512] [--decode 32] [--position 0] [--sequences 1] [--repeat 3]
//
// `--position` starts decoding at that position over an unwritten cache: the time does not depend on what is in it.

import { parseArgs } from "node:util";
import { createNativeBackend } from "../../dist/backend/native/index.js";
import { openCheckpoint } from "../../dist/checkpoint/node/index.js";
import { batchOf, cachePlan, loadModel } from "../../dist/model/index.js";
import { openStream } from "./stream.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prefill: { type: "string", default: "512" },
    decode: { type: "string", default: "32" },
    position: { type: "string", default: "0" },
    sequences: { type: "string", default: "1" },
    repeat: { type: "string", default: "3" },
    dense: { type: "string", default: "int8" },
    threads: { type: "string" },
  },
});
const [prefill, decode, position, count, repeat] = [
  values.prefill,
  values.decode,
  values.position,
  values.sequences,
  values.repeat,
].map(Number);

const checkpoint = await openCheckpoint(positionals[0]);
const options = { dense: values.dense, ...(values.threads ? { threads: Number(values.threads) } : {}) };
const backend = createNativeBackend(options);
const loadStart = performance.now();
const model = await loadModel(checkpoint, backend);
console.log(`${backend.description}\nload ${((performance.now() - loadStart) / 1000).toFixed(2)} s`);
const stream = openStream(values.threads);
const bytes = bytesPerToken(model.config, values.dense);

const contextTokens = (Math.max(prefill, position) + decode + 64) * count;
const plan = cachePlan(model.config, {
  contextTokens,
  sequences: count,
  chunkTokens: Math.max(prefill, position, count),
});
let token = 1;
const next = () => (token = (token * 69069 + 1) % model.config.vocabularySize);

for (let round = 0; round < repeat; round++) {
  const cache = model.createCache(plan);
  const sequences = Array.from({ length: count }, () => cache.open());
  const step = async (lengths) => {
    const rows = [];
    let at = 0;
    const parts = sequences.map((sequence, i) => {
      at += lengths[i];
      rows.push(at - 1);
      return sequence.append(Int32Array.from({ length: lengths[i] }, next));
    });
    const logits = model.forward({ batch: batchOf(parts), cache: cache.kv, rows: Int32Array.from(rows) });
    await backend.read(logits);
    backend.free(logits);
    for (const sequence of sequences) sequence.commit();
  };
  const timed = async (work) => {
    const start = performance.now();
    await work();
    return (performance.now() - start) / 1000;
  };
  const line = {};
  if (prefill > 0)
    line.prefill = round2((prefill * count) / (await timed(() => step(sequences.map(() => prefill)))));
  if (position > 0) {
    for (const sequence of sequences) {
      sequence.append(new Int32Array(position));
      sequence.commit();
    }
  }
  await step(sequences.map(() => 1));
  const seconds = [];
  const ratios = [];
  for (let i = 0; i < decode; i++) {
    const before = await stream.read();
    const taken = await timed(() => step(sequences.map(() => 1)));
    seconds.push(taken);
    ratios.push(bytes / 1e9 / taken / ((before + (await stream.read())) / 2));
  }
  line.decode = round2(count / median(seconds));
  line.best = round2(count / Math.min(...seconds));
  line.ofStream = round2(median(ratios));
  console.log(JSON.stringify(line));
  cache.close();
}
console.log(
  `bytes that one token must read: ${round2(bytes / 1e9)} GB; held beyond the files: ${round2(backend.usage().bytes / 1e9)} GB`,
);
stream.close();
await backend.close();
await checkpoint.close();

function median(values) {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}

function round2(x) {
  return Math.round(x * 100) / 100;
}

/** Weights only: the cache adds 2 KB a layer and visible position. */
function bytesPerToken(config, dense) {
  const { layers, hiddenSize, intermediateSize, expertsPerToken, heads, kvHeads, headDim, vocabularySize } =
    config;
  const experts = layers * expertsPerToken * 3 * intermediateSize * hiddenSize * (4.25 / 8);
  const attention = layers * hiddenSize * headDim * (2 * heads + 2 * kvHeads);
  const bytesPerWeight = dense === "int8" ? 1 + 2 / 32 : 2;
  return experts + (attention + vocabularySize * hiddenSize) * bytesPerWeight;
}
