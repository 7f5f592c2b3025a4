// Do llama.cpp and we compute the same model? Converts a checkpoint to GGUF, asks both for the log-probabilities of the
// whole vocabulary after several prompts, and prints how far they are apart, by two measures of ours: as the published
// config says, and with YaRN's bounds rounded to whole numbers (`truncate`), as llama.cpp does for every model. What is
// left in the second is llama.cpp's rounding of activations to 8 bits, and ours; `--backend reference` rounds nothing.
//
//   node peers/parity.mjs [FOLDER] [--dense bf16|q8_0] [--backend reference|native] [--prompts 8]
//
// FOLDER is in the Hugging Face layout; by default, the model in this package.

import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dense: { type: "string", default: "bf16" },
    backend: { type: "string" },
    prompts: { type: "string", default: "8" },
  },
});
const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const [model = path("../../models/micro")] = positionals;
const ours = path("../../dist/cli/main.js");
const run = (...args) =>
  execFileSync(process.execPath, args, { maxBuffer: 2 ** 30, stdio: ["ignore", "pipe", "pipe"] }).toString();

const folder = mkdtempSync(join(tmpdir(), "gpt-oss-parity-"));
try {
  const gguf = join(folder, "model.gguf");
  run(ours, "convert", "--model", model, "--to", "gguf", "--dense", values.dense, "--out", gguf);
  const { config } = JSON.parse(run(ours, "info", "--model", model, "--json"));
  console.log(
    `${model}, dense ${values.dense}: ${config.layers} layers, vocabulary ${config.vocabularySize}`,
  );
  const variants = { "as published": model, "bounds rounded": withRoundedBounds() };
  const results = { "as published": [], "bounds rounded": [] };
  for (const ids of promptsFor(config)) {
    const theirs = llamaLogProbabilities(ids, gguf, config.vocabularySize);
    for (const [name, folder] of Object.entries(variants)) {
      const result = compare(ourLogProbabilities(ids, folder), theirs);
      results[name].push(result);
      console.log(`${String(ids.length).padStart(5)} tokens, ${name}: ${describe(result)}`);
    }
  }
  for (const [name, list] of Object.entries(results)) {
    const worst = (key) => Math.max(...list.map((result) => result[key]));
    const all = { kl: worst("kl"), difference: worst("difference"), mean: worst("mean") };
    const agreed = list.filter(({ agrees }) => agrees).length;
    console.log(`worst, ${name}: ${describe(all)}; same likeliest token ${agreed} of ${list.length}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Conversations that the embedded model knows, or any tokens: some within the window, some far beyond it. */
function promptsFor({ vocabularySize }) {
  const count = Number(values.prompts);
  if (vocabularySize === 2080) {
    const cases = JSON.parse(readFileSync(path("../../test/golden/micro/cases.json"), "utf8"));
    return cases.map(({ tokens }) => tokens).slice(0, count);
  }
  const ordinary = Math.min(vocabularySize, 199_998) - 1;
  const lengths = [1, 5, 33, 64, 127, 129, 200, 300];
  return Array.from({ length: count }, (_, prompt) =>
    Array.from(
      { length: lengths[prompt % lengths.length] },
      (_, i) => ((i + 1) * 7919 + prompt * 104_729) % ordinary,
    ),
  );
}

/** The same folder, but for one word of its config. */
function withRoundedBounds() {
  const copy = join(folder, "rounded");
  mkdirSync(copy);
  for (const name of readdirSync(model))
    if (name !== "config.json") symlinkSync(resolve(model, name), join(copy, name));
  const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8"));
  (config.rope_parameters ?? config.rope_scaling).truncate = true;
  writeFileSync(join(copy, "config.json"), JSON.stringify(config));
  return copy;
}

function ourLogProbabilities(ids, of) {
  const [tokens, logits] = [join(folder, "tokens.json"), join(folder, "logits")];
  writeFileSync(tokens, JSON.stringify(ids));
  const backend = values.backend ? ["--backend", values.backend] : [];
  run(ours, "logits", "--model", of, "--tokens", tokens, "--last", "--out", logits, ...backend);
  return logSoftmax(new Float32Array(new Uint8Array(readFileSync(logits)).buffer));
}

function llamaLogProbabilities(ids, gguf, vocabularySize) {
  const tokens = join(folder, "tokens.json");
  writeFileSync(tokens, JSON.stringify(ids));
  const { logprobs } = JSON.parse(run(path("llama.mjs"), gguf, "--logprobs", tokens));
  const theirs = new Float64Array(vocabularySize).fill(Number.NEGATIVE_INFINITY);
  for (const [token, logprob] of logprobs) theirs[token] = logprob;
  return logSoftmax(theirs); // theirs sum to 1 only about
}

function compare(mine, theirs) {
  let kl = 0;
  for (let i = 0; i < mine.length; i++)
    if (Number.isFinite(theirs[i])) kl += Math.exp(mine[i]) * (mine[i] - theirs[i]);
  const top = Array.from(mine.keys())
    .sort((a, b) => mine[b] - mine[a])
    .slice(0, 100)
    .filter((i) => Number.isFinite(theirs[i]));
  const differences = top.map((i) => Math.abs(mine[i] - theirs[i]));
  return {
    kl,
    difference: Math.max(...differences),
    mean: differences.reduce((sum, value) => sum + value, 0) / differences.length,
    agrees: theirs.reduce((best, value, i) => (value > theirs[best] ? i : best), 0) === top[0],
  };
}

function describe({ kl, difference, mean, agrees }) {
  const likeliest = agrees === undefined ? "" : `, likeliest token ${agrees ? "the same" : "another"}`;
  return `KL ${kl.toExponential(2)} nats, |Δ log p| over the top 100 at most ${difference.toFixed(3)}, mean ${mean.toFixed(4)}${likeliest}`;
}

function logSoftmax(logits) {
  let max = Number.NEGATIVE_INFINITY;
  for (const value of logits) max = Math.max(max, value);
  let sum = 0;
  for (const value of logits) sum += Math.exp(value - max);
  return Float64Array.from(logits, (value) => value - max - Math.log(sum));
}
