// What the engine costs beside the model: tokens a second through the engine against the bare forward pass on the same
// batches, in one process, in turn. The embedded model, whose steps are short, shows the most of it.
// Run: npm run build && node bench/engine/overhead.mjs [reference|native]

import { openCheckpoint } from "../../dist/checkpoint/node/index.js";
import { createEngine } from "../../dist/engine/index.js";
import { batchOf, cachePlan, loadModel } from "../../dist/model/index.js";

const name = process.argv[2] ?? "reference";
const { createReferenceBackend, createNativeBackend } = await import(`../../dist/backend/${name}/index.js`);
const backend = name === "native" ? await createNativeBackend() : createReferenceBackend();
const checkpoint = await openCheckpoint(new URL("../../models/micro", import.meta.url).pathname);
const model = await loadModel(checkpoint, backend);

const prompt = Array.from({ length: 64 }, (_, i) => (i * 7) % 2000);
const steps = name === "native" ? 200 : 40;
const pairs = 9;

/** The same decoding steps without an engine: greedy, all sequences in one batch. */
async function bare(sequences) {
  const cache = model.createCache(
    cachePlan(model.config, { contextTokens: 4096, sequences, chunkTokens: 1024 }),
  );
  const open = Array.from({ length: sequences }, () => cache.open());
  let next = open.map(() => prompt);
  const start = performance.now();
  for (let step = 0; step < steps; step++) {
    const batch = batchOf(open.map((sequence, i) => sequence.append(Int32Array.from(next[i]))));
    let end = 0;
    const rows = Int32Array.from(next, (tokens) => (end += tokens.length) - 1);
    const tensor = model.forward({ batch, cache: cache.kv, rows });
    const logits = await backend.read(tensor);
    backend.free(tensor);
    for (const sequence of open) sequence.commit();
    const { cols } = tensor;
    next = open.map((_, i) => {
      const row = logits.subarray(i * cols, (i + 1) * cols);
      return [row.reduce((best, logit, token) => (logit > row[best] ? token : best), 0)];
    });
  }
  const seconds = (performance.now() - start) / 1000;
  cache.close();
  return (sequences * steps) / seconds;
}

async function throughEngine(sequences) {
  const engine = createEngine(model, {
    cacheTokens: 4096,
    maxSequences: sequences,
    stepTokens: 1024,
    maxPrefixes: 0,
  });
  const request = { tokens: prompt, stopTokens: [], maxTokens: steps, sampling: { temperature: 0 } };
  const start = performance.now();
  const counts = await Promise.all(
    Array.from({ length: sequences }, async () => {
      let tokens = 0;
      for await (const event of engine.generate(request)) if (event.type === "token") tokens++;
      return tokens;
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  await engine.close();
  return counts.reduce((a, b) => a + b) / seconds;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

for (const sequences of [1, 8]) {
  await bare(sequences);
  await throughEngine(sequences);
  const rates = [];
  for (let i = 0; i < pairs; i++) rates.push([await bare(sequences), await throughEngine(sequences)]);
  const ratios = rates.map(([plain, engine]) => engine / plain);
  console.log(
    `${name}, ${sequences} at once: ${median(rates.map(([, b]) => b)).toFixed(0)} tokens/s through the engine, ` +
      `${median(rates.map(([a]) => a)).toFixed(0)} bare: ${median(ratios).toFixed(3)} ` +
      `(${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`,
  );
}
await backend.close();
await checkpoint.close();
