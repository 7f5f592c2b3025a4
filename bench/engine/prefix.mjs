// What keeping prefixes is worth: a conversation of ten turns, whose prompt is all that was said (without the reasoning
// of earlier answers), with and without it, in one process, in turn.
// Run: npm run build && node bench/engine/prefix.mjs [reference|native]

import { random } from "../../dist/base/index.js";
import { openCheckpoint } from "../../dist/checkpoint/node/index.js";
import { createEngine } from "../../dist/engine/index.js";
import { loadModel } from "../../dist/model/index.js";

const name = process.argv[2] ?? "reference";
const { createReferenceBackend, createNativeBackend } = await import(`../../dist/backend/${name}/index.js`);
const backend = name === "native" ? await createNativeBackend() : createReferenceBackend();
const checkpoint = await openCheckpoint(new URL("../../models/micro", import.meta.url).pathname);
const model = await loadModel(checkpoint, backend);

const { uint32 } = random(1);
const someTokens = (count) => Array.from({ length: count }, () => uint32() % 2000);
const system = someTokens(150);
const questions = Array.from({ length: 10 }, () => someTokens(30));
const [reasoningTokens, answerTokens] = [20, 20];

/** → milliseconds to the first token of all turns, and the share of prompt tokens that did not run. */
async function converse(maxPrefixes) {
  const engine = createEngine(model, { cacheTokens: 2048, maxSequences: 1, maxPrefixes });
  let prompt = system;
  let waited = 0;
  const usage = { promptTokens: 0, cachedTokens: 0 };
  for (const question of questions) {
    prompt = [...prompt, ...question];
    const output = [];
    const start = performance.now();
    const request = { tokens: prompt, stopTokens: [], maxTokens: reasoningTokens + answerTokens };
    for await (const event of engine.generate({ ...request, sampling: { temperature: 0 } })) {
      if (event.type === "token" && output.push(event.token) === 1) waited += performance.now() - start;
      if (event.type === "end") for (const key of Object.keys(usage)) usage[key] += event.usage[key];
    }
    prompt = [...prompt, ...output.slice(reasoningTokens)];
  }
  const { computedTokens, outputTokens, refusedGuesses } = engine.status();
  await engine.close();
  // Every sampled token but the last of a turn runs, too.
  const promptTokensRun = computedTokens - (outputTokens - questions.length) - refusedGuesses;
  return { waited, promptTokensRun, promptTokens: usage.promptTokens };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

await converse(0);
const pairs = [];
for (let i = 0; i < 5; i++) pairs.push([await converse(16), await converse(0)]);
const ratios = pairs.map(([kept, cold]) => cold.waited / kept.waited);
console.log(
  `${name}: ten turns wait ${median(pairs.map(([kept]) => kept.waited)).toFixed(0)} ms for their first tokens, ` +
    `${median(pairs.map(([, cold]) => cold.waited)).toFixed(0)} ms when nothing is kept: ${median(ratios).toFixed(1)} times as fast ` +
    `(${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)}); ` +
    `of ${pairs[0][0].promptTokens} tokens of prompts, ${pairs[0][0].promptTokensRun} run, ${pairs[0][1].promptTokensRun} when nothing is kept`,
);
await backend.close();
await checkpoint.close();
