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

/** One after the other, never both: idle threads of one backend would take the other's cores. */
async function measure(load) {
  const loaded = await load(options);
  const rates = [];
  for (const sequences of [1, 8, 64]) {
    await throughput(loaded, sequences); // the first time is not like the others
    rates.push(await throughput(loaded, sequences));
  }
  const latencies = [];
  for (let i = 0; i < 51; i++) latencies.push(await latency(loaded));
  await loaded.close();
  return { rates, latency: median(latencies) };
}

const results = [];
for (let i = 0; i < pairs; i++) results.push([await measure(loadEngine), await measure(loadInThread)]);
for (const [place, sequences] of [1, 8, 64].entries()) {
  const ratios = results.map(([here, there]) => there.rates[place] / here.rates[place]);
  const [here, there] = [0, 1].map((side) => median(results.map((pair) => pair[side].rates[place])));
  console.log(
    `${backend}, ${sequences} at once: ${there.toFixed(0)} tokens/s through a thread, ${here.toFixed(0)} without: ` +
      `${median(ratios).toFixed(3)} (${spread(ratios)})`,
  );
}
const [here, there] = [0, 1].map((side) => median(results.map((pair) => pair[side].latency)));
console.log(
  `${backend}, first token of a request of 3: ${there.toFixed(2)} ms through a thread, ${here.toFixed(2)} ms without`,
);
