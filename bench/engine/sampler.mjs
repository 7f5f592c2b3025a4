// One token from 201,088 logits: this sampler against the textbook (softmax with Math.exp, a sort where an option needs
// order), in one process, samples in turn.
// Run: npm run build && node bench/engine/sampler.mjs

import { random } from "../../dist/base/index.js";
import { parseRequest } from "../../dist/engine/request.js";
import { createScratch } from "../../dist/engine/sampler/row.js";

const vocabularySize = 201_088;
const limits = { vocabularySize, contextLength: 10_000 };
const samples = 41;

/** Most of the vocabulary in a bell far below a few candidates, as language models give; or nearly flat, the worst case. */
function rowOf({ seed, spread, candidates }) {
  const { normal, float } = random(seed);
  const row = Float32Array.from({ length: vocabularySize }, () => spread * normal());
  for (let i = 0; i < candidates; i++) row[Math.floor(float() * vocabularySize)] = 12 + 8 * float();
  return row;
}
const shapes = {
  peaked: [1, 2, 3, 4].map((seed) => rowOf({ seed, spread: 2.5, candidates: 50 })),
  flat: [1, 2, 3, 4].map((seed) => rowOf({ seed, spread: 0.5, candidates: 0 })),
};

const options = {
  "temperature 0": { sampling: { temperature: 0 } },
  "neutral (temperature 1)": {},
  "temperature 0.7": { sampling: { temperature: 0.7 } },
  "top-p 0.95": { sampling: { topP: 0.95 } },
  "top-k 40": { sampling: { topK: 40 } },
  "top-k 40, top-p 0.95, 0.8": { sampling: { topK: 40, topP: 0.95, temperature: 0.8 } },
  "min-p 0.05": { sampling: { minP: 0.05 } },
  "penalties, 4,000 in prompt": { sampling: { repetitionPenalty: 1.1, presencePenalty: 0.5 } },
  "neutral, 5 log-probabilities": { topLogprobs: 5 },
};

const prompt = Array.from({ length: 4000 }, (_, i) => (i * 37) % vocabularySize);

/** Everything weighed, everything sorted where order matters. */
function textbook(logits, { temperature = 1, topP = 1, topK = Number.POSITIVE_INFINITY }, uniform) {
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i] > max) max = logits[i];
  if (temperature === 0) return logits.indexOf(max);
  const weights = new Float64Array(logits.length);
  let total = 0;
  for (let i = 0; i < logits.length; i++) total += weights[i] = Math.exp((logits[i] - max) / temperature);
  let ids;
  if (topK < logits.length || topP < 1) {
    ids = Uint32Array.from(logits.keys()).sort((a, b) => weights[b] - weights[a]);
    if (topK < ids.length) ids = ids.subarray(0, topK);
    let mass = 0;
    let kept = 0;
    while (kept < ids.length && mass < topP * total) mass += weights[ids[kept++]];
    ids = ids.subarray(0, kept);
    total = mass;
  }
  let rest = uniform * total;
  const count = ids?.length ?? weights.length;
  for (let i = 0; i < count; i++) if ((rest -= weights[ids?.[i] ?? i]) < 0) return ids?.[i] ?? i;
  return 0;
}

const timed = (work) => {
  const start = performance.now();
  work();
  return performance.now() - start;
};
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

for (const [shape, rows] of Object.entries(shapes)) {
  console.log(`${shape}: milliseconds a token, median of ${samples}`);
  for (const [name, request] of Object.entries(options)) {
    const job = parseRequest(
      { tokens: prompt, stopTokens: [], ...request, sampling: { seed: 1, ...request.sampling } },
      limits,
    );
    const scratch = createScratch(vocabularySize);
    const { float } = random(1);
    const mine = (row) => timed(() => job.sample(row, scratch));
    const theirs = (row) => timed(() => textbook(row, request.sampling ?? {}, float()));
    for (let i = 0; i < 12; i++) [mine, theirs].map((run) => run(rows[i % 4]));
    const times = Array.from({ length: samples }, (_, i) => [mine(rows[i % 4]), theirs(rows[i % 4])]);
    const [ours, plain] = [0, 1].map((side) => median(times.map((pair) => pair[side])));
    const ratio = median(times.map(([a, b]) => b / a));
    console.log(
      `  ${name.padEnd(30)} ${ours.toFixed(2)}, textbook ${plain.toFixed(2)}: ${ratio.toFixed(1)} times as fast`,
    );
  }
}
