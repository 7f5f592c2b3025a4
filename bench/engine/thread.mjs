// What a thread of its own costs an engine: tokens a second and the time to a first token through the thread, against
// the same engine in this thread, in one process, in turn. The embedded model, whose steps are short, shows the most.
// Run: npm run build && node bench/engine/thread.mjs [reference|native]

import { loadEngine, loadInThread } from "../../dist/library/node/index.js";

const backend = process.argv[2] ?? "native";
const options = {
  backend,
  engine: { maxSequences: 64, cacheTokens: 32_768, maxPrefixes: 0, speculativeRows: 1 },
};
const pairs = 9;
const tokensEach = backend === "native" ? 200 : 40;

const here = await loadEngine(options);
const there = await loadInThread(options);

const request = (n, maxTokens) => ({
  tokens: Array.from({ length: 64 }, (_, i) => (i * 7 + n) % 2000),
  stopTokens: [],
  maxTokens,
  sampling: { temperature: 0 },
});

/** → tokens a second, over all sequences. */
async function throughput({ engine }, sequences) {
  const start = performance.now();
  const counts = await Promise.all(
    Array.from({ length: sequences }, async (_, n) => {
      let tokens = 0;
      for await (const event of engine.generate(request(n, tokensEach))) if (event.type === "token") tokens++;
      return tokens;
    }),
  );
  return counts.reduce((a, b) => a + b) / ((performance.now() - start) / 1000);
}

/** → milliseconds to the first token of one short request. */
async function latency({ engine }) {
  const start = performance.now();
  for await (const _ of engine.generate({ ...request(1, 2), tokens: [1, 2, 3] })) break;
  return performance.now() - start;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const spread = (values) => `${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)}`;

for (const sequences of [1, 8, 64]) {
  for (const side of [here, there]) await throughput(side, sequences);
  const rates = [];
  for (let i = 0; i < pairs; i++)
    rates.push([await throughput(here, sequences), await throughput(there, sequences)]);
  const ratios = rates.map(([a, b]) => b / a);
  console.log(
    `${backend}, ${sequences} at once: ${median(rates.map(([, b]) => b)).toFixed(0)} tokens/s through a thread, ` +
      `${median(rates.map(([a]) => a)).toFixed(0)} without: ${median(ratios).toFixed(3)} (${spread(ratios)})`,
  );
}
const latencies = [];
for (let i = 0; i < 101; i++) latencies.push([await latency(here), await latency(there)]);
console.log(
  `${backend}, first token of a request of 3: ${median(latencies.map(([, b]) => b)).toFixed(2)} ms through a thread, ` +
    `${median(latencies.map(([a]) => a)).toFixed(2)} ms without`,
);
await here.close();
await there.close();
