// Many streaming clients over real sockets, against `gpt-oss serve` as people start it: no error, no token lost or
// twice (every text is compared with the engine's own), fair between equal clients, memory flat, and tokens a second
// against the bare engine's in the same run, the two in turn.
// Run: npm run build && node bench/server/load.mjs [--seconds 60] [--clients 64] [--pairs 5] [--backend native] [--json]

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openPrompt } from "../../dist/agent/index.js";
import { load } from "../../dist/library/node/index.js";
import { chat, createAgent, respond } from "./clients.mjs";
import { startServer } from "./serve.mjs";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    clients: { type: "string", default: "64" },
    pairs: { type: "string", default: "5" },
    backend: { type: "string", default: "native" },
    threads: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const clients = Number(values.clients);
const pairs = Number(values.pairs);
const say = values.json ? () => {} : console.log;

const cacheTokens = 65_536;
const threads = values.threads && { threads: Number(values.threads) };
const model = await load({
  backend: values.backend,
  ...threads,
  engine: { maxSequences: clients, cacheTokens },
});
const { engine, tokenizer } = model;
const date = model.info.defaults.currentDate;

/** Nothing ends such a request but its limit: no special token can be sampled. */
const noSpecials = Object.fromEntries(
  Array.from({ length: engine.vocabularySize }, (_, id) => id)
    .filter((id) => tokenizer.isSpecial(id))
    .map((id) => [id, -100]),
);
const lengths = [8, 32, 64, 128, 256];
const question = (index) => `What is ${10 + (index % 40)} + ${3 + ((index * 7) % 50)}?`;

/** The endless answers: one for each question, as long as the longest length. */
const questions = Array.from({ length: 40 }, (_, index) => question(index));
const chatBody = (index, length) => ({
  model: "embedded",
  messages: [{ role: "user", content: questions[index % questions.length] }],
  reasoning_effort: "none",
  max_tokens: length,
  temperature: 0,
  logit_bias: noSpecials,
});

async function bare(index, length) {
  const prompt = openPrompt(tokenizer, {
    messages: [{ role: "user", content: questions[index % questions.length] }],
    effort: "none",
    currentDate: date,
  });
  const tokens = [];
  const sampling = {
    temperature: 0,
    logitBias: new Map(Object.entries(noSpecials).map(([id, bias]) => [+id, bias])),
  };
  for await (const event of engine.generate({
    tokens: prompt.tokens,
    stopTokens: [],
    maxTokens: length,
    sampling,
  })) {
    if (event.type === "token") tokens.push(event.token);
  }
  return { promptTokens: prompt.tokens.length, tokens };
}

say(`expected answers, from the engine itself (${model.info.backend.description})`);
const longest = Math.max(...lengths);
const endless = await Promise.all(questions.map((_, index) => bare(index, longest)));
const natural = await Promise.all(questions.map((text) => model.respond(text, { effort: "medium" })));
/** A question between two answers may get either, depending on who runs beside it. */
const settledQuestions = [];
for (const [index, text] of questions.entries()) {
  const alone = await model.respond(text, { effort: "medium" });
  if (alone.text === natural[index].text && alone.reasoning === natural[index].reasoning)
    settledQuestions.push(index);
}

const folder = mkdtempSync(join(tmpdir(), "gpt-oss-load-"));
const server = await startServer(
  [
    "--store",
    folder,
    "--backend",
    values.backend,
    "--max-sequences",
    String(clients),
    "--context",
    String(cacheTokens),
    ...(values.threads ? ["--threads", values.threads] : []),
  ],
  { stderr: "inherit" },
);
const { url } = server;
const agent = createAgent();
const found = { errors: [], wrong: [], requests: 0, reworded: 0 };

function check(what, got, expected) {
  if (got !== expected)
    found.wrong.push(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(expected)}`);
}

/**
 * Kernels that sum differently when more sequences run beside make another text of answers as senseless as these, so
 * that only the exact backend's are compared; of any, that no token is missing or there twice.
 */
const isExact = model.info.backend.name === "reference";

async function chatOnce(index, length, { withTokens = false, onToken } = {}) {
  const expected = endless[index % questions.length];
  const body = { ...chatBody(index, length), logprobs: withTokens };
  const answer = await chat({ url, agent, body, onToken });
  if (isExact) check("chat text", answer.text, tokenizer.decode(expected.tokens.slice(0, length)));
  if (withTokens) check("chat tokens", answer.tokens.join(""), answer.text);
  if (withTokens) check("chat token count", answer.tokens.length, length);
  check("chat usage", answer.usage.completion_tokens, length);
  check("chat prompt", answer.usage.prompt_tokens, expected.promptTokens);
  check("chat end", answer.finish, "length");
  return length;
}

const sumOf = (text) => /(\d+)\.$/.exec(text)?.[1];

async function respondOnce(turn, onEvent) {
  const index = settledQuestions[turn % settledQuestions.length];
  const expected = natural[index];
  const body = {
    model: "embedded",
    input: questions[index],
    reasoning: { effort: "medium" },
  };
  const answer = await respond({ url, agent, body, onEvent });
  // The same rounding may choose another wording; the sum, and the count, tell a token that is missing.
  const isSame = answer.text === expected.text && answer.reasoning === expected.reasoning;
  if (isExact || isSame) check("response tokens", answer.usage.output_tokens, expected.usage.outputTokens);
  if (isExact) check("response reasoning", answer.reasoning, expected.reasoning);
  if (isExact) check("response text", answer.text, expected.text);
  else if (!isSame) {
    found.reworded++;
    check("response sum", sumOf(answer.text), sumOf(expected.text));
  }
  check("response status", answer.status, "completed");
  return answer.usage.output_tokens;
}

/** Each client asks again as soon as it has its answer. `streamed` is what came within the time. */
async function crowd(seconds, once) {
  const end = performance.now() + seconds * 1000;
  const counts = new Array(clients).fill(0);
  const streamed = new Array(clients).fill(0);
  const start = performance.now();
  await Promise.all(
    counts.map(async (_, client) => {
      for (let turn = 0; performance.now() < end; turn++) {
        try {
          counts[client] += await once(client, turn, () => {
            if (performance.now() < end) streamed[client]++;
          });
          found.requests++;
        } catch (error) {
          found.errors.push(String(error?.stack ?? error));
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
    }),
  );
  return { streamed, rate: sum(counts) / ((performance.now() - start) / 1000) };
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const residentBytes = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))[1]) * 1024;
const running = async () => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/gpt_oss_engine_running\{[^}]*\} (\d+)/.exec(text)?.[1]);
};

/** Bytes a second by least squares. */
function slope(samples) {
  const meanX = sum(samples.map(([x]) => x)) / samples.length;
  const meanY = sum(samples.map(([, y]) => y)) / samples.length;
  return (
    sum(samples.map(([x, y]) => (x - meanX) * (y - meanY))) / sum(samples.map(([x]) => (x - meanX) ** 2))
  );
}

const pairLength = 128;
const ratios = [];
if (pairs > 0) await crowd(8, (client, turn) => chatOnce(client + turn, pairLength)); // until the server's code is compiled
for (let pair = 0; pair < pairs; pair++) {
  const seconds = 4;
  const own = await crowd(
    seconds,
    async (client, turn) => (await bare(client + turn, pairLength)).tokens.length,
  );
  const http = await crowd(seconds, (client, turn) => chatOnce(client + turn, pairLength));
  ratios.push([http.rate / own.rate, http.rate, own.rate]);
  say(
    `${own.rate.toFixed(0)} tokens/s by the engine, ${http.rate.toFixed(0)} through HTTP: ${(http.rate / own.rate).toFixed(2)}`,
  );
}

/** The long part: mixed lengths and both APIs, while some clients vanish. */
const samples = [];
const began = performance.now();
const sampler = setInterval(() => samples.push([(performance.now() - began) / 1000, residentBytes()]), 500);
let vanished = 0;
const vanishing = [];
const vanisher = setInterval(() => {
  const visit = chat({ url, agent, body: chatBody(vanished, 2000), onToken: ({ chunks }) => chunks < 5 });
  vanishing.push(
    visit.then(
      () => vanished++,
      (error) => found.errors.push(`vanishing: ${error}`),
    ),
  );
}, 500);
const mixed = await crowd(Number(values.seconds), (client, turn, onToken) =>
  turn % 2 === 0
    ? chatOnce(client * 3 + turn, lengths[(client + turn) % lengths.length], { withTokens: true, onToken })
    : respondOnce(client + turn, onToken),
);
clearInterval(sampler);
clearInterval(vanisher);
const settled = samples.slice(Math.floor(samples.length / 3));

await Promise.all(vanishing);
/** A place is free when the server has heard that its client is gone. */
let left = await running();
for (let waited = 0; left > 0 && waited < 100; waited++) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  left = await running();
}

const result = {
  clients,
  seconds: Number(values.seconds),
  requests: found.requests,
  reworded: found.reworded,
  errors: found.errors.slice(0, 5),
  wrong: found.wrong.slice(0, 5),
  vanished,
  stillRunning: left,
  fairness: Math.max(...mixed.streamed) / Math.min(...mixed.streamed),
  mixedTokensPerSecond: mixed.rate,
  httpOfEngine: ratios.length > 0 ? median(ratios.map(([ratio]) => ratio)) : undefined,
  residentMegabytes: samples.at(-1)[1] / 1e6,
  residentSlopeKilobytesPerSecond: slope(settled) / 1e3,
  residentGrowth: (slope(settled) * (settled.at(-1)[0] - settled[0][0])) / settled[0][1],
};
agent.destroy();
await server.stop();
await model.close();
rmSync(folder, { recursive: true, force: true });
console.log(values.json ? JSON.stringify(result) : result);
process.exitCode = found.errors.length + found.wrong.length > 0 ? 1 : 0;
