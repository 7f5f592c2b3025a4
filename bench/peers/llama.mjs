// One measurement of node-llama-cpp in a process of its own; prints one line of JSON.
// Usage: node llama.mjs MODEL.gguf --prefill N --decode N [--context N] [--logprobs ids.json]

import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prefill: { type: "string", default: "512" },
    decode: { type: "string", default: "32" },
    threads: { type: "string", default: String(cpus().length) },
    logprobs: { type: "string" },
  },
});
const [modelPath] = positionals;
const prefill = Number(values.prefill);
const decode = Number(values.decode);
const threads = Number(values.threads);
const seconds = () => performance.now() / 1000;

const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: LlamaLogLevel.error,
  maxThreads: threads,
});
const loadStart = seconds();
const model = await llama.loadModel({ modelPath, useMmap: true });
const ids = values.logprobs ? JSON.parse(readFileSync(values.logprobs, "utf8")) : undefined;
const length = ids?.length ?? prefill + decode;
const context = await model.createContext({
  contextSize: Math.max(512, length + 8),
  batchSize: Math.max(512, Math.min(2048, length)),
  threads,
});
const sequence = context.getSequence();
const load = seconds() - loadStart;

const report = ids ? await logprobs(ids) : await speed();
// A pipe takes a large vocabulary in pieces.
process.stdout.write(`${JSON.stringify({ peer: "node-llama-cpp", load, ...report })}\n`, () =>
  process.exit(0),
);

/** Tokens are any valid ids: the cost does not depend on what they say. */
function promptOf(count) {
  return Array.from(
    { length: count },
    (_, i) =>
      1000 +
      (((i * 7919) % 100_000) % (model.fileInfo?.metadata?.tokenizer?.ggml?.tokens?.length - 2000 || 1000)),
  );
}

async function speed() {
  const prompt = promptOf(prefill);
  const prefillStart = seconds();
  await sequence.evaluateWithoutGeneratingNewTokens(prompt);
  const prefillSeconds = seconds() - prefillStart;

  // The first generated token includes evaluating the last one given; time the steps between generated tokens.
  let generated = 0;
  let decodeStart = 0;
  for await (const _ of sequence.evaluate([prompt[0]], { temperature: 0, yieldEogToken: true })) {
    if (generated === 0) decodeStart = seconds();
    if (generated++ === decode) break;
  }
  return { prefill: prefill / prefillSeconds, decode: decode / (seconds() - decodeStart) };
}

/** Log-probabilities of the whole vocabulary after the given tokens. */
async function logprobs(tokens) {
  for await (const { probabilities } of sequence.evaluateWithMetadata(
    tokens,
    { probabilities: true },
    { temperature: 1, topK: 0, topP: 1, minP: 0, yieldEogToken: true },
  )) {
    return { logprobs: [...probabilities].map(([token, probability]) => [token, Math.log(probability)]) };
  }
}
