// What guessing by look-up is worth: tokens a second with and without it, in one process, in turn, on answers that
// repeat their prompt, on ordinary ones, and for several sequences at once. The tokens must be the same.
// Run: npm run build && node bench/engine/speculation.mjs

import { readFileSync } from "node:fs";
import { createNativeBackend } from "../../dist/backend/native/index.js";
import { openCheckpoint } from "../../dist/checkpoint/node/index.js";
import { createEngine } from "../../dist/engine/index.js";
import { loadModel } from "../../dist/model/index.js";

const root = new URL("../../", import.meta.url);
const backend = createNativeBackend({});
const checkpoint = await openCheckpoint(new URL("models/micro", root).pathname);
const model = await loadModel(checkpoint, backend);
const goldens = JSON.parse(readFileSync(new URL("test/golden/micro/greedy.json", root), "utf8"));
const pairs = 9;

const temperature = (value) => ({ temperature: value, seed: 1 });
const answers = goldens.map(({ prompt, greedy }) => ({ tokens: prompt, maxTokens: greedy.length }));
/** A text is there already, and the model is made to write it again: each token is as likely as a copy makes it. */
const copies = goldens
  .filter(({ greedy }) => greedy.length > 20)
  .map(({ prompt, greedy }) => ({ tokens: [...prompt, ...greedy, ...prompt], maxTokens: greedy.length }));
/** What no text is: random tokens, and answers drawn at random. The look-up finds little, and that is wrong. */
const noise = Array.from({ length: 8 }, (_, n) => ({
  tokens: Array.from({ length: 200 }, (_, i) => (i * i * 31 + n * 977) % 2000),
  maxTokens: 150,
}));
const loads = {
  "the same question asked again": { requests: copies, sampling: temperature(0), atOnce: 1 },
  "ordinary answers": { requests: answers, sampling: temperature(0), atOnce: 1 },
  "ordinary answers, temperature 1": { requests: answers, sampling: temperature(1), atOnce: 1 },
  "noise, temperature 1": { requests: noise, sampling: temperature(1), atOnce: 1 },
  "the same questions again, 4 at once": { requests: copies, sampling: temperature(0), atOnce: 4 },
  "ordinary answers, 4 at once": { requests: answers, sampling: temperature(0), atOnce: 4 },
};

async function run(speculativeRows, { requests, sampling, atOnce }) {
  const engine = createEngine(model, { cacheTokens: 8192, maxPrefixes: 0, speculativeRows });
  const outputs = [];
  const queue = [...requests.entries()];
  const start = performance.now();
  const client = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, request] = next;
      outputs[index] = [];
      for await (const event of engine.generate({
        ...request,
        stopTokens: model.config.stopTokens,
        sampling,
      }))
        if (event.type === "token") outputs[index].push(event.token);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
  const seconds = (performance.now() - start) / 1000;
  const status = engine.status();
  await engine.close();
  return { outputs: JSON.stringify(outputs), rate: status.outputTokens / seconds, status };
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

for (const [name, load] of Object.entries(loads)) {
  for (const rows of [1, 8]) await run(rows, load);
  const results = [];
  for (let i = 0; i < pairs; i++) results.push([await run(1, load), await run(8, load)]);
  const ratios = results.map(([plain, guessed]) => guessed.rate / plain.rate);
  const same = results.filter(([plain, guessed]) => plain.outputs === guessed.outputs).length;
  const { acceptedGuesses, refusedGuesses, outputTokens, steps } = results[0][1].status;
  console.log(
    `${name}: ${median(ratios).toFixed(2)} times as fast (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), ` +
      `${median(results.map(([plain]) => plain.rate)).toFixed(0)} tokens/s without; ${outputTokens} tokens in ${steps} steps, ` +
      `${acceptedGuesses} guesses right, ${refusedGuesses} wrong; the same tokens in ${same} of ${pairs} runs`,
  );
}
await backend.close();
await checkpoint.close();
