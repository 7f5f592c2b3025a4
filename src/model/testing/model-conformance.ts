// The whole model on any backend: against logits, hidden states, losses and greedy continuations of OpenAI's own code
// (test/golden), and against itself when the same tokens come in other chunks or other company.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend, KvStorage } from "../../backend/index.ts";
import { type Random, random } from "../../base/index.ts";
import type { Checkpoint } from "../../checkpoint/index.ts";
import { openCheckpoint } from "../../checkpoint/node/index.ts";
import { batchOf, cachePlan, loadModel, type Model, type SequenceCache } from "../index.ts";

/** An error relative to the largest value of the row, and why it cannot be smaller. */
export interface ModelTolerance {
  readonly error: number;
  readonly reason: string;
}

export interface ModelConformance {
  readonly name: string;
  readonly create: () => Backend | Promise<Backend>;
  /** Of the cache; default bf16. */
  readonly storage?: KvStorage;
  /** Longer golden prompts are left out. */
  readonly maxPromptTokens?: number;
  readonly tolerances: {
    /** Logits against the golden ones, at every golden position. */
    readonly logits: ModelTolerance;
    /** The residual stream after each layer, at the last position. */
    readonly hidden: ModelTolerance;
    /** The mean loss over a prompt, relative to the golden one. */
    readonly loss: ModelTolerance;
    /** Logits of the same tokens run in other chunks, or beside other sequences. */
    readonly paths: ModelTolerance;
    /** How far below the largest logit the golden token may be: a near tie, which rounding may flip. */
    readonly ties: ModelTolerance;
  };
}

interface GoldenCase {
  readonly name: string;
  readonly tokens: readonly number[];
  readonly nll: number;
}

interface GreedyCase {
  readonly question: string;
  readonly effort: string;
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
}

const root = new URL("../../../", import.meta.url);
const micro = fileURLToPath(new URL("models/micro", root));
const microOriginal = fileURLToPath(new URL("test/golden/micro-original", root));
const golden = (name: string): Buffer => readFileSync(new URL(`test/golden/micro/${name}`, root));
const goldenFloats = (name: string): Float32Array => new Float32Array(new Uint8Array(golden(name)).buffer);
const goldenCases: readonly GoldenCase[] = JSON.parse(golden("cases.json").toString());
const greedyCases: readonly GreedyCase[] = JSON.parse(golden("greedy.json").toString());

const chunkTokens = 512;
/** The longest prompt takes the reference a quarter of a minute, and a busy machine several times that. */
const timeoutMs = 240_000;

export function modelConformance(conformance: ModelConformance): void {
  const { name, create, tolerances, storage = "bf16" } = conformance;
  const { maxPromptTokens = Number.POSITIVE_INFINITY } = conformance;
  describe(`model conformance: ${name}`, () => {
    let checkpoint: Checkpoint;
    let model: Model;
    const backends: Backend[] = [];
    const load = async (from: Checkpoint): Promise<Model> => {
      const backend = await create();
      backends.push(backend);
      return loadModel(from, backend);
    };
    const expectWithin = (kind: keyof typeof tolerances, error: number): void => {
      const { error: allowed, reason } = tolerances[kind];
      expect(error, `${kind}: error, within ${allowed} because ${reason}`).toBeLessThanOrEqual(allowed);
    };

    beforeAll(async () => {
      checkpoint = await openCheckpoint(micro);
      model = await load(checkpoint);
    });
    afterAll(async () => {
      // Every run has freed its tensors and its cache; what is left are the weights.
      for (const backend of backends) expect(backend.usage()).toMatchObject({ tensors: 0, caches: 0 });
      for (const backend of backends) await backend.close();
      for (const backend of backends) expect(backend.usage()).toMatchObject({ weights: 0, bytes: 0 });
      await checkpoint.close();
    });

    for (const { name, tokens, nll } of goldenCases) {
      if (tokens.length > maxPromptTokens) continue;
      test(
        `${name}, ${tokens.length} tokens: logits, hidden states and loss are OpenAI's`,
        async () => {
          const run = await runWhole(model, tokens, { storage });
          const wantLogits = goldenFloats(`${name}.logits.f32`);
          const got = run.logits.subarray(run.logits.length - wantLogits.length);
          const logits = rowError(got, wantLogits, model.config.vocabularySize);
          const hidden = rowError(run.hidden, goldenFloats(`${name}.hidden.f32`), model.config.hiddenSize);
          const loss = Math.abs(meanLoss(run.logits, tokens) / nll - 1);
          const shown = Object.entries({ logits, hidden, loss }).map(
            ([kind, e]) => `${kind} ${e.toExponential(1)}`,
          );
          console.info(`${name}: errors of ${shown.join(", ")}`);
          expectWithin("logits", logits);
          expectWithin("hidden", hidden);
          expectWithin("loss", loss);
        },
        timeoutMs,
      );
    }

    test(
      "greedy continuations are OpenAI's, token for token, near ties apart",
      async () => {
        let ties = 0;
        for (const { prompt, greedy } of greedyCases) {
          const widest = await greedyGap(model, { prompt, greedy }, { storage });
          expectWithin("ties", widest);
          if (widest > 0) ties++;
        }
        console.info(`${name}: ${ties} of ${greedyCases.length} greedy continuations pass a near tie`);
      },
      timeoutMs,
    );

    test("chunks of any size give the logits of the whole prompt", async () => {
      const { tokens } = goldenCases[1];
      const { logits } = await runWhole(model, tokens, { storage });
      for (const chunk of [1, 7, 32, 63, 64, 199]) {
        const [last] = await runTogether(model, [tokens], { storage, chunk: () => chunk });
        expectWithin("paths", rowError(last, lastRow(model, logits), last.length));
      }
    });

    test("sequences side by side do not see each other", async () => {
      const source = random(1);
      const prompts = [
        ...goldenCases.slice(0, 2).map(({ tokens }) => tokens),
        ...greedyCases.slice(0, 3).map((g) => g.prompt),
      ];
      const alone: Float32Array[] = [];
      for (const prompt of prompts)
        alone.push(lastRow(model, (await runWhole(model, prompt, { storage })).logits));
      for (let round = 0; round < 2; round++) {
        const together = await runTogether(model, prompts, {
          storage,
          chunk: () => randomChunk(source),
        });
        for (const [i, logits] of together.entries())
          expectWithin("paths", rowError(logits, alone[i], logits.length));
      }
    });

    test("the original layout gives the same bits as the Hugging Face layout", async () => {
      const original = await openCheckpoint(microOriginal);
      expect(original.layout).toBe("original");
      const other = await load(original);
      const { tokens } = goldenCases[1];
      expect(bits((await runWhole(other, tokens, { storage })).logits)).toBe(
        bits((await runWhole(model, tokens, { storage })).logits),
      );
      await original.close();
    });
  });
}

/** Often a single token, as in decoding, and now and then none, as when a sequence waits. */
function randomChunk(source: Random): number {
  const kind = source.uint32() % 4;
  if (kind === 0) return 0;
  return kind === 1 ? 1 + (source.uint32() % 90) : 1;
}

/** As a string: comparing a million floats one by one takes `toEqual` seconds. */
const bits = ({ buffer, byteOffset, byteLength }: Float32Array): string =>
  createHash("sha256")
    .update(new Uint8Array(buffer, byteOffset, byteLength))
    .digest("hex");

const lastRow = (model: Model, logits: Float32Array): Float32Array =>
  logits.subarray(logits.length - model.config.vocabularySize);

interface CacheOptions {
  readonly storage: KvStorage;
}

interface WholeRun {
  /** `[tokens, V]` */
  readonly logits: Float32Array;
  /** `[layers, D]`, at the last position */
  readonly hidden: Float32Array;
}

/** The prompt in large chunks, with logits of every position. */
async function runWhole(
  model: Model,
  tokens: readonly number[],
  { storage }: CacheOptions,
): Promise<WholeRun> {
  const { backend, config } = model;
  const cache = model.createCache(
    cachePlan(config, { contextTokens: tokens.length, sequences: 1, chunkTokens, storage }),
  );
  const sequence = cache.open();
  const logits = new Float32Array(tokens.length * config.vocabularySize);
  const hidden = new Float32Array(config.layers * config.hiddenSize);
  while (sequence.length < tokens.length) {
    const start = sequence.length;
    const batch = batchOf([sequence.append(Int32Array.from(tokens.slice(start, start + chunkTokens)))]);
    const streams: Promise<Float32Array>[] = [];
    const out = model.forward({
      batch,
      cache: cache.kv,
      rows: Int32Array.from({ length: batch.rows }, (_, row) => row),
      onHidden: (_, stream) => streams.push(backend.read(stream)),
    });
    sequence.commit();
    logits.set(await backend.read(out), start * config.vocabularySize);
    backend.free(out);
    for (const [layer, stream] of (await Promise.all(streams)).entries()) {
      hidden.set(stream.subarray(stream.length - config.hiddenSize), layer * config.hiddenSize);
    }
  }
  sequence.close();
  cache.close();
  return { logits, hidden };
}

/** Several prompts in one cache, each step with the next chunk of each; → logits of each prompt's last position. */
async function runTogether(
  model: Model,
  prompts: readonly (readonly number[])[],
  { storage, chunk }: CacheOptions & { readonly chunk: () => number },
): Promise<Float32Array[]> {
  const { backend, config } = model;
  const contextTokens = prompts.reduce((sum, prompt) => sum + prompt.length, 0);
  const plan = cachePlan(config, {
    contextTokens,
    sequences: prompts.length,
    chunkTokens: 100 * prompts.length,
    storage,
  });
  const cache = model.createCache(plan);
  const sequences = prompts.map(() => cache.open());
  const results: Float32Array[] = [];
  while (sequences.some(({ length }, i) => length < prompts[i].length)) {
    const parts = sequences.map((sequence, i) => {
      const next = prompts[i].slice(sequence.length, sequence.length + chunk());
      return sequence.append(Int32Array.from(next));
    });
    const batch = batchOf(parts);
    const ends = parts.map(
      (_, i) => parts.slice(0, i + 1).reduce((rows, { tokens }) => rows + tokens.length, 0) - 1,
    );
    const finished = sequences.flatMap(({ length }, i) =>
      parts[i].tokens.length > 0 && length === prompts[i].length ? [i] : [],
    );
    const out = model.forward({ batch, cache: cache.kv, rows: Int32Array.from(finished, (i) => ends[i]) });
    for (const sequence of sequences) sequence.commit();
    const logits = await backend.read(out);
    backend.free(out);
    const width = config.vocabularySize;
    for (const [row, i] of finished.entries()) results[i] = logits.slice(row * width, (row + 1) * width);
  }
  for (const sequence of sequences) sequence.close();
  expect(cache.freeBlocks).toEqual(plan.groupBlocks);
  cache.close();
  return results;
}

/**
 * Decodes along the golden continuation, one token at a time; → the widest gap between the largest logit and the golden
 * token's, relative to the row's largest value. 0: the continuation is the same, token for token.
 */
async function greedyGap(
  model: Model,
  { prompt, greedy }: Pick<GreedyCase, "prompt" | "greedy">,
  { storage }: CacheOptions,
): Promise<number> {
  const { backend, config } = model;
  const contextTokens = prompt.length + greedy.length;
  const cache = model.createCache(
    cachePlan(config, { contextTokens, sequences: 1, chunkTokens: prompt.length, storage }),
  );
  const sequence: SequenceCache = cache.open();
  let widest = 0;
  let input = prompt;
  for (const expected of greedy) {
    const batch = batchOf([sequence.append(Int32Array.from(input))]);
    const out = model.forward({ batch, cache: cache.kv, rows: Int32Array.of(batch.rows - 1) });
    sequence.commit();
    const logits = await backend.read(out);
    backend.free(out);
    const largest = logits.reduce((a, b) => Math.max(a, b));
    const magnitude = logits.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    widest = Math.max(widest, (largest - logits[expected]) / magnitude);
    input = [expected];
  }
  sequence.close();
  cache.close();
  return widest;
}

/** The largest difference in a row, relative to the row's largest value; of all rows the worst. */
function rowError(got: Float32Array, want: Float32Array, cols: number): number {
  expect(got.length).toBe(want.length);
  let worst = 0;
  for (let start = 0; start < want.length; start += cols) {
    let largest = 0;
    let difference = 0;
    for (let i = start; i < start + cols; i++) {
      largest = Math.max(largest, Math.abs(want[i]));
      difference = Math.max(difference, Math.abs(got[i] - want[i]));
    }
    worst = Math.max(worst, difference / largest);
  }
  return worst;
}

/** −mean log probability of each next token of the prompt. */
function meanLoss(logits: Float32Array, tokens: readonly number[]): number {
  const width = logits.length / tokens.length;
  let sum = 0;
  for (let row = 0; row + 1 < tokens.length; row++) {
    const values = logits.subarray(row * width, (row + 1) * width);
    const max = values.reduce((a, b) => Math.max(a, b));
    const total = values.reduce((total, value) => total + Math.exp(value - max), 0);
    sum += Math.log(total) + max - values[tokens[row + 1]];
  }
  return sum / (tokens.length - 1);
}
