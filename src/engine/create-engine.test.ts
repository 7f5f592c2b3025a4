import { afterEach, describe, expect, test } from "vitest";
import { GptOssError } from "../base/index.ts";
import type { Model } from "../model/index.ts";
import { createEngine, type LocalEngine } from "./create-engine.ts";
import type { GenerateEvent, GenerateRequest } from "./engine.ts";
import type { EngineOptions } from "./plan.ts";
import { generateAlone } from "./testing/alone.ts";
import { collect, tokensOf } from "./testing/collect.ts";
import { loadTinyModel } from "./testing/models.ts";
import { yieldToEvents } from "./yield-to-events.ts";

const model = await loadTinyModel();
const unused = model.backend.usage();

const engines: LocalEngine[] = [];
function open(options: EngineOptions = {}, broken: Partial<Model> = {}): LocalEngine {
  const engine = createEngine(
    { ...model, ...broken },
    { cacheTokens: 192, blockTokens: 4, maxPrefixes: 0, ...options },
  );
  engines.push(engine);
  return engine;
}

afterEach(async () => {
  for (const engine of engines.splice(0)) {
    await ticks(3);
    expect(engine.status()).toMatchObject({ running: 0, waiting: 0 });
    await engine.close();
    expect(engine.status().heldBlocks).toEqual([0, 0]);
  }
  expect(model.backend.usage()).toEqual(unused);
});

async function ticks(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await yieldToEvents();
}

/** `count` different prompts of 5 tokens. */
const request = (n: number, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  tokens: [n, n + 1, n + 2, n + 3, n + 4],
  stopTokens: [],
  maxTokens: 10,
  sampling: { temperature: 0 },
  ...more,
});

const endOf = (events: readonly GenerateEvent[]) => {
  const last = events.at(-1);
  return last?.type === "end" ? last : undefined;
};

const coded = (code: string) => expect.objectContaining({ code });

test("one who leaves while a step runs does not move the others' logits", async () => {
  const { backend } = model;
  let reads = 0;
  const read: typeof backend.read = async (tensor) => {
    const values = await backend.read(tensor);
    if (++reads === 4) await leaving.return?.(); // on a backend that computes in other threads it may come here
    return values;
  };
  const engine = open({ maxSequences: 4 }, { backend: { ...backend, read } });
  const leaving = engine.generate(request(1, { maxTokens: 50 }))[Symbol.asyncIterator]();
  const first = leaving.next();
  const others = [2, 3, 4].map((n) => collect(engine.generate(request(n))));
  await first;
  for (const [index, events] of (await Promise.all(others)).entries())
    expect(tokensOf(events)).toEqual(await generateAlone(model, request(index + 2)));
});

describe("a request", () => {
  test("ends at a stop token, which is yielded, and counts its tokens", async () => {
    const whole = await generateAlone(model, request(1));
    const events = await collect(open().generate(request(1, { stopTokens: [whole[4]] })));
    const expected = whole.slice(0, whole.indexOf(whole[4]) + 1);
    expect(tokensOf(events)).toEqual(expected);
    expect(endOf(events)).toEqual({
      type: "end",
      reason: "stop",
      usage: { promptTokens: 5, cachedTokens: 0, outputTokens: expected.length },
    });
  });

  test("ends at its limit, or where the context is full", async () => {
    const engine = open();
    expect(endOf(await collect(engine.generate(request(1, { maxTokens: 3 }))))).toMatchObject({
      reason: "length",
    });
    const tokens = Array.from({ length: 185 }, (_, i) => i % 61);
    const full = await collect(engine.generate({ tokens, stopTokens: [], sampling: { temperature: 0 } }));
    expect(endOf(full)).toMatchObject({ reason: "length", usage: { outputTokens: 7 } });
    expect(engine.contextLength).toBe(192);
  });

  test("gets log-probabilities of the model's own distribution when it asks", async () => {
    const sampling = { seed: 1, temperature: 1.3, topK: 20 };
    for (const event of await collect(open().generate(request(1, { topLogprobs: 3, sampling })))) {
      if (event.type !== "token") continue;
      expect(event.top).toHaveLength(3);
      expect(event.logprob).toBeLessThanOrEqual(event.top![0].logprob);
    }
  });

  test("without a seed, is different each time", async () => {
    const engine = open();
    const sampling = { temperature: 5 };
    const runs = [];
    for (let i = 0; i < 3; i++)
      runs.push(tokensOf(await collect(engine.generate(request(1, { sampling })))).join());
    expect(new Set(runs).size).toBe(3);
  });

  test("that cannot be run fails at the first read, and costs the engine nothing", async () => {
    const engine = open();
    const stream = engine.generate({ tokens: [], stopTokens: [] });
    await expect(collect(stream)).rejects.toEqual(coded("engine/bad-request"));
    expect(engine.status().steps).toBe(0);
  });
});

describe("going away", () => {
  test("an abort ends the stream at once, keeps what was sampled, and is not an error", async () => {
    const engine = open();
    const controller = new AbortController();
    const events: GenerateEvent[] = [];
    for await (const event of engine.generate(request(1, { maxTokens: 100, signal: controller.signal }))) {
      events.push(event);
      if (events.length === 3) controller.abort();
    }
    expect(events).toHaveLength(4);
    expect(endOf(events)).toMatchObject({ reason: "aborted", usage: { outputTokens: 3 } });
  });

  test("an abort reaches a request that waits, and one that was aborted before it began", async () => {
    const engine = open({ maxSequences: 1 });
    const first = collect(engine.generate(request(1)));
    const controller = new AbortController();
    const second = collect(engine.generate(request(2, { signal: controller.signal })));
    await ticks(2);
    expect(engine.status()).toMatchObject({ running: 1, waiting: 1 });
    controller.abort();
    expect(engine.status()).toMatchObject({ running: 1, waiting: 0 });
    expect(endOf(await second)).toMatchObject({ reason: "aborted", usage: { outputTokens: 0 } });
    const signal = AbortSignal.abort();
    expect(endOf(await collect(engine.generate(request(3, { signal }))))).toMatchObject({
      reason: "aborted",
    });
    await first;
  });

  test("a client that vanishes while it waits for a token frees its place within one step", async () => {
    const engine = open();
    const stream = engine.generate(request(1, { maxTokens: 180 }))[Symbol.asyncIterator]();
    await stream.next();
    await stream.next();
    const { steps } = engine.status();
    const pending = stream.next();
    await stream.return?.();
    expect(await pending).toEqual({ done: true, value: undefined });
    await ticks(4);
    expect(engine.status()).toMatchObject({ running: 0, heldBlocks: [0, 0] });
    expect(engine.status().steps - steps).toBeLessThanOrEqual(1);
  });

  test("a long-lived signal is not left with a listener per request", async () => {
    const engine = open();
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await collect(engine.generate(request(1, { signal })));
    for await (const _ of engine.generate(request(1, { signal }))) break;
    expect(listeners).toBe(0);
  });
});

describe("many at once", () => {
  test("a sequence joins while another runs, and every one gets a token in every step", async () => {
    const engine = open({ stepTokens: 8 });
    const stepsOf = async (n: number): Promise<number[]> => {
      const steps: number[] = [];
      for await (const event of engine.generate(request(n, { maxTokens: 12 })))
        if (event.type === "token") steps.push(engine.status().steps);
      return steps;
    };
    const first = stepsOf(1);
    await ticks(3);
    const tokens = Array.from({ length: 100 }, (_, i) => i % 61);
    const long = collect(engine.generate({ ...request(0), tokens }));
    const steps = await first;
    await long;
    expect(steps.map((step) => step - steps[0])).toEqual(steps.map((_, i) => i));
    expect(engine.status().preemptions).toBe(0);
  });

  test("a full queue refuses at once", async () => {
    const engine = open({ maxSequences: 1, maxWaiting: 1 });
    const accepted = [collect(engine.generate(request(1))), collect(engine.generate(request(2)))];
    await expect(collect(engine.generate(request(3)))).rejects.toEqual(coded("engine/overloaded"));
    for (const events of await Promise.all(accepted)) expect(endOf(events)?.reason).toBe("length");
    expect(tokensOf(await collect(engine.generate(request(3))))).toHaveLength(10);
  });

  test("two engines on one model do not know of each other", async () => {
    const [a, b] = [open(), open()];
    const [one, other] = await Promise.all([a, b].map((engine) => collect(engine.generate(request(1)))));
    expect(tokensOf(one)).toEqual(await generateAlone(model, request(1)));
    expect(other).toEqual(one);
  });
});

describe("a consumer that does not read", () => {
  test("stops its own request only, and gets every token when it reads again", async () => {
    const engine = open({ maxUnread: 4 });
    const slow = engine.generate(request(1, { maxTokens: 40 }))[Symbol.asyncIterator]();
    const first = await slow.next();
    const other = await collect(engine.generate(request(2, { maxTokens: 40 })));
    expect(tokensOf(other)).toHaveLength(40);
    await ticks(20);
    const { steps } = engine.status();
    await ticks(20);
    expect(engine.status().steps).toBe(steps); // nothing is computed for nobody
    const rest = await collect({ [Symbol.asyncIterator]: () => slow });
    const tokens = tokensOf([first.value as GenerateEvent, ...rest]);
    expect(tokens).toEqual(await generateAlone(model, request(1, { maxTokens: 40 })));
  });

  test("loses its place to one that waits, and still gets every token", async () => {
    const engine = open({ maxUnread: 2, maxSequences: 1 });
    const slow = engine.generate(request(1, { maxTokens: 20 }))[Symbol.asyncIterator]();
    const first = await slow.next();
    await ticks(10);
    expect(tokensOf(await collect(engine.generate(request(2))))).toHaveLength(10);
    expect(engine.status().preemptions).toBe(1);
    const rest = await collect({ [Symbol.asyncIterator]: () => slow });
    expect(tokensOf([first.value as GenerateEvent, ...rest])).toEqual(
      await generateAlone(model, request(1, { maxTokens: 20 })),
    );
  });
});

describe("faults", () => {
  const boom = new Error("boom");

  test("what a step throws ends the requests of that step, and no others", async () => {
    let isBroken = false;
    const engine = open(
      { maxSequences: 2 },
      {
        forward: (input) => {
          if (isBroken) throw boom;
          return model.forward(input);
        },
      },
    );
    const failing = [1, 2].map((n) => collect(engine.generate(request(n))).catch((error: unknown) => error));
    const waiting = collect(engine.generate(request(3)));
    await ticks(3);
    isBroken = true;
    expect(await Promise.all(failing)).toEqual([boom, boom]);
    isBroken = false;
    expect(tokensOf(await waiting)).toEqual(await generateAlone(model, request(3)));
  });

  test("a read that fails ends them too, and nothing of the step is left", async () => {
    const read: Model["backend"]["read"] = async () => Promise.reject(boom);
    const engine = open({}, { backend: { ...model.backend, read } });
    await expect(collect(engine.generate(request(1)))).rejects.toBe(boom);
  });

  test("numbers that are no distribution end their own request, and are not reused", async () => {
    let rows = 0;
    const read: Model["backend"]["read"] = async (tensor) => {
      const logits = await model.backend.read(tensor);
      rows += tensor.rows;
      if (rows === 12 && tensor.rows === 2) logits.fill(Number.NaN, 0, tensor.cols);
      return logits;
    };
    const engine = open({ maxPrefixes: 4 }, { backend: { ...model.backend, read } });
    const first = collect(engine.generate(request(1, { maxTokens: 20 })));
    const second = collect(engine.generate(request(2, { maxTokens: 20 })));
    await expect(first).rejects.toEqual(coded("engine/bad-logits"));
    expect(tokensOf(await second)).toEqual(await generateAlone(model, request(2, { maxTokens: 20 })));
    const failed = [...request(1).tokens, ...(await generateAlone(model, request(1)))];
    const again = await collect(engine.generate(request(1, { tokens: failed })));
    expect(endOf(again)?.usage.cachedTokens).toBe(0);
  });

  test("closing ends what runs and what waits with a code, and refuses what comes later", async () => {
    const engine = open({ maxSequences: 1 });
    const ended = [1, 2].map((n) => collect(engine.generate(request(n))).catch((error: unknown) => error));
    await ticks(3);
    await Promise.all([engine.close(), engine.close()]);
    expect(await Promise.all(ended)).toEqual([coded("engine/closed"), coded("engine/closed")]);
    await expect(collect(engine.generate(request(1)))).rejects.toEqual(coded("engine/closed"));
  });
});

describe("the plan", () => {
  test("says what the engine takes before it takes it", () => {
    const engine = open({ cacheTokens: 100 });
    expect(engine.plan).toMatchObject({ cacheTokens: 100, contextLength: 100, maxSequences: 8 });
    expect(model.backend.usage().bytes - unused.bytes).toBe(engine.plan.cacheBytes);
  });

  test("never takes more bytes than it is given, nor leaves a block's worth unused", () => {
    for (const cacheBytes of [100_000, 123_457, 300_000]) {
      const { plan } = open({ cacheBytes, maxSequences: 1, stepTokens: 16 });
      const { cacheBytes: taken, ...same } = plan;
      expect(taken).toBeLessThanOrEqual(cacheBytes);
      const { plan: larger } = open({ ...same, cacheTokens: plan.cacheTokens + plan.blockTokens });
      expect(larger.cacheBytes).toBeGreaterThan(cacheBytes);
    }
  });

  test("refuses options that cannot work", () => {
    const bad: readonly EngineOptions[] = [
      { cacheTokens: 0 },
      { cacheTokens: 1.5 },
      { cacheBytes: 10 },
      { cacheBytes: Number.NaN },
      { cacheStorage: "int4" as "int8" },
      { maxSequences: 0 },
      { maxWaiting: -1 },
      { maxSequences: 9, stepTokens: 8 },
      { blockTokens: 0 },
      { maxUnread: 0 },
    ];
    for (const options of bad) {
      expect(() => createEngine(model, options)).toThrow(GptOssError);
      expect(() => createEngine(model, options)).toThrow(coded("engine/bad-option"));
    }
  });
});
