// Whatever runs beside a request, whatever is preempted, reused or cancelled: it gets the tokens that it gets alone.

import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { random } from "../base/index.ts";
import type { Model } from "../model/index.ts";
import { createEngine } from "./create-engine.ts";
import type { Engine, GenerateEvent, GenerateRequest } from "./engine.ts";
import type { TokenConstraint } from "./grammar/constraint.ts";
import { connectEngine } from "./remote/connect-engine.ts";
import { serveEngine } from "./remote/serve-engine.ts";
import type { EngineStatus } from "./status.ts";
import { generateAlone } from "./testing/alone.ts";
import { collect, tokensOf } from "./testing/collect.ts";
import { loadTinyModel } from "./testing/models.ts";
import { yieldToEvents } from "./yield-to-events.ts";

const model = await loadTinyModel();
const { vocabularySize } = model.config;
const before = model.backend.usage();

const oracle = new Map<string, Promise<number[]>>();
function alone(request: GenerateRequest): Promise<number[]> {
  const key = JSON.stringify(request, (_, value) => (value instanceof Map ? [...value] : value));
  const known = oracle.get(key) ?? generateAlone(model, request);
  oracle.set(key, known);
  return known;
}

/** A start that several requests share, and an end that they do not. */
function promptOf({
  family,
  shared,
  own,
}: {
  family: number;
  shared: number;
  own: readonly number[];
}): number[] {
  const source = random(family);
  return [...Array.from({ length: shared }, () => source.uint32() % vocabularySize), ...own];
}

const samplings = fc.constantFrom<GenerateRequest["sampling"]>(
  { temperature: 0 },
  { seed: 1 },
  { seed: 2, temperature: 1.5, topP: 0.9, frequencyPenalty: 0.5 },
  { seed: 3, topK: 5, minP: 0.05, repetitionPenalty: 1.2, presencePenalty: -0.5 },
);

/** Runs through anything but five tokens, and after some, exactly one of two phrases. */
const phrases: TokenConstraint = {
  states: [
    {
      kind: "free",
      forbidden: [1, 2, 3, 4, 5],
      on: new Map([7, 11, 23, 31, 40, 52].map((token) => [token, 1])),
    },
    {
      kind: "paths",
      paths: [
        { tokens: [8, 9, 10], to: 0 },
        { tokens: [8, 12], to: 0 },
      ],
    },
  ],
};

const requests: fc.Arbitrary<GenerateRequest> = fc
  .record({
    family: fc.integer({ min: 1, max: 2 }),
    shared: fc.integer({ min: 0, max: 60 }),
    own: fc.array(fc.integer({ min: 0, max: vocabularySize - 1 }), { minLength: 1, maxLength: 6 }),
    maxTokens: fc.integer({ min: 1, max: 40 }),
    stopTokens: fc.constantFrom([], [3, 48]),
    sampling: samplings,
    constraint: fc.constantFrom(undefined, undefined, phrases),
  })
  .map(({ family, shared, own, maxTokens, stopTokens, sampling, constraint }) => ({
    tokens: promptOf({ family, shared, own }),
    maxTokens,
    stopTokens,
    ...(sampling && { sampling }),
    ...(constraint && { constraint }),
  }));

/** What the client does: when it comes, how fast it reads, and whether and how it goes before the end. */
const clients = fc.record({
  request: requests,
  arrival: fc.integer({ min: 0, max: 30 }),
  ticksPerRead: fc.constantFrom(0, 0, 0, 1, 5),
  leaving: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    {
      weight: 1,
      arbitrary: fc.record({
        after: fc.integer({ min: 0, max: 20 }),
        how: fc.constantFrom("abort", "return"),
      }),
    },
  ),
});

type Client = typeof clients extends fc.Arbitrary<infer T> ? T : never;

const engineOptions = fc.record({
  // The longest request of 66 + 40 tokens fits alone; three of them do not fit together.
  cacheTokens: fc.constantFrom(108, 132, 192),
  blockTokens: fc.constantFrom(4, 8),
  maxSequences: fc.integer({ min: 1, max: 6 }),
  stepTokens: fc.constantFrom(6, 17, 64),
  maxPrefixes: fc.constantFrom(0, 1, 4),
  maxUnread: fc.constantFrom(1, 3, 64),
  speculativeRows: fc.constantFrom(1, 4, 8),
});

/** A backend that computes elsewhere: much can happen until what was computed is read. */
function slowToRead(readTicks: number): Model {
  const read: Model["backend"]["read"] = async (tensor) => {
    const values = await model.backend.read(tensor);
    await ticks(readTicks);
    return values;
  };
  return { ...model, backend: { ...model.backend, read } };
}

/** The engine, as another thread would see it. */
async function throughPort(engine: Engine): Promise<Engine> {
  const { port1, port2 } = new MessageChannel();
  void serveEngine(engine, port2);
  return connectEngine(port1, { maxUnread: 5 });
}

async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await yieldToEvents();
}

/** → what it got, and whether it stayed to the end. */
async function act(engine: Engine, { request, arrival, ticksPerRead, leaving }: Client) {
  await ticks(arrival);
  const controller = new AbortController();
  const events: GenerateEvent[] = [];
  if (leaving?.how === "abort" && leaving.after === 0) controller.abort();
  for await (const event of engine.generate({ ...request, signal: controller.signal })) {
    events.push(event);
    if (leaving && events.length === leaving.after) {
      if (leaving.how === "return") return { events, isWhole: false };
      controller.abort();
    }
    await ticks(ticksPerRead);
  }
  const last = events.at(-1);
  expect(last?.type).toBe("end");
  return { events, isWhole: last?.type === "end" && last.reason !== "aborted" };
}

const idle = { running: 0, waiting: 0, prefixes: 0, heldBlocks: [0, 0] } satisfies Partial<EngineStatus>;

describe("random load", () => {
  const seen = { requests: 0, preemptions: 0, reused: 0, left: 0, accepted: 0, refused: 0 };

  test("every request gets the tokens that it gets alone, and nothing stays behind", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(clients, { minLength: 1, maxLength: 8 }),
        engineOptions,
        fc.boolean(),
        fc.constantFrom(0, 3),
        async (crowd, options, isRemote, readTicks) => {
          const engine = createEngine(slowToRead(readTicks), options);
          const used = isRemote ? await throughPort(engine) : engine;
          const results = await Promise.all(crowd.map((client) => act(used, client)));
          for (const [index, { events, isWhole }] of results.entries()) {
            const expected = await alone(crowd[index].request);
            const tokens = tokensOf(events);
            expect(tokens).toEqual(isWhole ? expected : expected.slice(0, tokens.length));
            seen.requests++;
            if (!isWhole) seen.left++;
            for (const event of events)
              if (event.type === "end" && event.usage.cachedTokens > 0) seen.reused++;
          }
          while (engine.status().running > 0) await ticks(1); // the step that runs when the last one leaves
          const { heldBlocks, ...status } = engine.status();
          expect(status).toMatchObject({ running: 0, waiting: 0 });
          if (options.maxPrefixes === 0) expect(heldBlocks).toEqual([0, 0]);
          seen.preemptions += status.preemptions;
          seen.accepted += status.acceptedGuesses;
          seen.refused += status.refusedGuesses;
          await used.close();
          await engine.close();
          expect(engine.status()).toMatchObject(idle);
          expect(model.backend.usage()).toEqual(before);
        },
      ),
      { seed: 20261120, numRuns: 80 },
    );
  });

  afterAll(() => {
    // The property says nothing if the load never met what it is about.
    expect(seen.preemptions).toBeGreaterThan(10);
    expect(seen.reused).toBeGreaterThan(10);
    expect(seen.left).toBeGreaterThan(10);
    // Whether guessing pays is decided by the clock, but every engine tries.
    expect(seen.accepted).toBeGreaterThan(5);
    expect(seen.refused).toBeGreaterThan(5);
    if (process.env.VERBOSE) console.log(seen);
  });
});

describe("conversations", () => {
  /**
   * Turn by turn: go back to some earlier turn (an edit, another try), take its answer whole or without its first part
   * (reasoning that is dropped), then say more.
   */
  const talks = fc.array(
    fc.record({
      from: fc.oneof(
        { weight: 3, arbitrary: fc.constant(1) },
        { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
      ),
      kept: fc.double({ min: 0, max: 1, noNaN: true }),
      said: fc.array(fc.integer({ min: 0, max: vocabularySize - 1 }), { minLength: 1, maxLength: 12 }),
      sampling: samplings,
    }),
    { minLength: 2, maxLength: 6 },
  );

  const seen = { cached: 0, prompts: 0 };

  test("cached and cold give the same tokens, and later turns do not run their past again", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(talks, { minLength: 1, maxLength: 3 }),
        fc.record({
          blockTokens: fc.constantFrom(4, 8),
          stepTokens: fc.constantFrom(6, 64),
          speculativeRows: fc.constantFrom(1, 8),
        }),
        fc.boolean(),
        async (crowd, options, isRemote) => {
          const engine = createEngine(model, { cacheTokens: 192, maxSequences: 2, ...options });
          const used = isRemote ? await throughPort(engine) : engine;
          await Promise.all(crowd.map((talk) => converse(used, talk)));
          await used.close();
          await engine.close();
          expect(engine.status()).toMatchObject(idle);
        },
      ),
      { seed: 20261121, numRuns: 30 },
    );
    expect(seen.cached / seen.prompts).toBeGreaterThan(0.3);
    if (process.env.VERBOSE) console.log(seen);
  });

  async function converse(engine: Engine, talk: typeof talks extends fc.Arbitrary<infer T> ? T : never) {
    const turns: { prompt: number[]; answer: number[] }[] = [{ prompt: [], answer: [] }];
    for (const { from, kept, said, sampling } of talk) {
      const { prompt: past, answer: last } = turns[Math.floor(from * (turns.length - 1))];
      const prompt = [...past, ...last.slice(Math.floor(last.length * (1 - kept))), ...said];
      const request = { tokens: prompt, maxTokens: 12, stopTokens: [], ...(sampling && { sampling }) };
      const events = await collect(engine.generate(request));
      const answer = tokensOf(events);
      expect(answer).toEqual(await alone(request));
      const end = events.at(-1);
      if (end?.type !== "end") continue;
      seen.cached += end.usage.cachedTokens;
      seen.prompts += end.usage.promptTokens;
      expect(end.usage).toMatchObject({ promptTokens: prompt.length, outputTokens: answer.length });
      expect(end.usage.cachedTokens).toBeLessThan(prompt.length);
      turns.push({ prompt, answer });
    }
  }

  test("several answers to one prompt run it once", async () => {
    const engine = createEngine(model, { cacheTokens: 192, blockTokens: 4, stepTokens: 16 });
    const answer = async (length: number, seed: number): Promise<number | undefined> => {
      const prompt = promptOf({ family: length, shared: length, own: [] });
      const request = { tokens: prompt, stopTokens: [], maxTokens: 8, sampling: { seed } };
      const events = await collect(engine.generate(request));
      expect(tokensOf(events)).toEqual(await alone(request));
      const end = events.at(-1);
      return end?.type === "end" ? end.usage.cachedTokens : undefined;
    };
    // One token must run, so of 44 tokens in blocks of 4 no more than 40 can be known.
    expect(await Promise.all([1, 2, 3, 4].map((seed) => answer(45, seed)))).toEqual([0, 44, 44, 44]);
    expect(await Promise.all([1, 2, 3, 4].map((seed) => answer(44, seed)))).toEqual([0, 40, 40, 40]);
    await engine.close();
  });

  test("a start that came twice is not run a third time, though no request ever ended there", async () => {
    const engine = createEngine(model, { cacheTokens: 192, blockTokens: 4 });
    const system = promptOf({ family: 7, shared: 40, own: [] });
    const cachedTokens: number[] = [];
    for (const question of [
      [1, 2, 3, 4, 5],
      [11, 12, 13, 14, 15],
      [21, 22, 23, 24, 25],
    ]) {
      const request = {
        tokens: [...system, ...question],
        stopTokens: [],
        maxTokens: 5,
        sampling: { seed: 1 },
      };
      const events = await collect(engine.generate(request));
      expect(tokensOf(events)).toEqual(await alone(request));
      const end = events.at(-1);
      if (end?.type === "end") cachedTokens.push(end.usage.cachedTokens);
    }
    expect(cachedTokens).toEqual([0, 0, 40]);
    await engine.close();
  });
});
