import { afterEach, describe, expect, test } from "vitest";
import { GptOssError } from "../../base/index.ts";
import { createEngine, type LocalEngine } from "../create-engine.ts";
import type { GenerateEvent, GenerateRequest } from "../engine.ts";
import type { EngineOptions } from "../plan.ts";
import { generateAlone } from "../testing/alone.ts";
import { collect, tokensOf } from "../testing/collect.ts";
import { loadTinyModel } from "../testing/models.ts";
import { yieldToEvents } from "../yield-to-events.ts";
import { type ConnectOptions, connectEngine, type RemoteEngine } from "./connect-engine.ts";
import type { EnginePort } from "./protocol.ts";
import { serveEngine } from "./serve-engine.ts";

const model = await loadTinyModel();

interface Connection {
  readonly local: LocalEngine;
  readonly remote: RemoteEngine;
  /** Messages that the engine's side sent. */
  readonly sent: () => number;
}

const connections: Connection[] = [];
async function connect(options: EngineOptions = {}, connect: ConnectOptions = {}): Promise<Connection> {
  const local = createEngine(model, { cacheTokens: 192, blockTokens: 4, maxPrefixes: 0, ...options });
  const { port1, port2 } = new MessageChannel();
  let sent = 0;
  const counting: EnginePort = {
    postMessage(message) {
      sent++;
      port2.postMessage(message);
    },
    addEventListener: (type, listener) => port2.addEventListener(type, listener),
    start: () => port2.start(),
    close: () => port2.close(),
  };
  void serveEngine(local, counting);
  const connection = { local, remote: await connectEngine(port1, connect), sent: () => sent };
  connections.push(connection);
  return connection;
}

afterEach(async () => {
  for (const { local, remote } of connections.splice(0)) {
    await remote.close();
    await local.close();
    expect(local.status()).toMatchObject({ running: 0, waiting: 0, heldBlocks: [0, 0] });
  }
});

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await yieldToEvents();
}

const request = (n: number, more: Partial<GenerateRequest> = {}): GenerateRequest => ({
  tokens: [n, n + 1, n + 2, n + 3, n + 4],
  stopTokens: [],
  maxTokens: 10,
  sampling: { temperature: 0 },
  ...more,
});

const failureOf = (stream: AsyncIterable<unknown>): Promise<unknown> =>
  collect(stream).catch((error: unknown) => error);
const coded = (code: string) => expect.objectContaining({ code });

describe("an engine behind a port", () => {
  test("gives the events that it gives without one, log-probabilities and usage included", async () => {
    const { local, remote } = await connect();
    expect([remote.contextLength, remote.vocabularySize]).toEqual([192, 61]);
    for (const more of [{}, { topLogprobs: 3 }, { sampling: { seed: 4, logitBias: new Map([[7, 3]]) } }])
      expect(await collect(remote.generate(request(1, more)))).toEqual(
        await collect(local.generate(request(1, more))),
      );
  });

  test("refuses with the same code and hint, at the first read", async () => {
    const { local, remote } = await connect({ maxSequences: 1, maxWaiting: 0 });
    const [here, there] = await Promise.all(
      [local, remote].map((engine) => failureOf(engine.generate(request(1, { tokens: [] })))),
    );
    expect(there).toBeInstanceOf(GptOssError);
    expect(there).toMatchObject({ ...(here as GptOssError), message: (here as GptOssError).message });
    const first = collect(remote.generate(request(1)));
    expect(await failureOf(remote.generate(request(2)))).toEqual(coded("engine/overloaded"));
    await first;
  });

  test("says what cannot be sent at all", async () => {
    const { remote } = await connect();
    const sampling = { temperature: 0, nonsense: () => 1 };
    expect(await failureOf(remote.generate(request(1, { sampling })))).toEqual(coded("engine/bad-request"));
    const signal = {} as AbortSignal;
    expect(await failureOf(remote.generate(request(1, { signal })))).toEqual(coded("engine/bad-request"));
  });

  test("sends one message for all streams of a step", async () => {
    const { local, remote, sent } = await connect({ maxSequences: 8 });
    const before = sent();
    await Promise.all([1, 2, 3, 4, 5, 6].map((n) => collect(remote.generate(request(n, { maxTokens: 20 })))));
    // Six that start together, and end together, in 20 steps; a few more for those that came a turn later.
    expect(sent() - before).toBeLessThanOrEqual(local.status().steps + 4);
    expect(remote.status()).toEqual(local.status());
  });
});

test("the status of a remote engine counts every token of an answer that has ended", async () => {
  const { remote } = await connect();
  for (const maxTokens of [30, 20]) {
    const before = remote.status().outputTokens;
    for await (const event of remote.generate(request(1, { maxTokens }))) if (event.type === "end") break;
    expect(remote.status().outputTokens - before).toBe(maxTokens);
  }
});

describe("going away", () => {
  test("a reader that leaves frees its place within one step", async () => {
    const { local, remote } = await connect();
    const stream = remote.generate(request(1, { maxTokens: 180 }))[Symbol.asyncIterator]();
    await stream.next();
    const pending = stream.next();
    await pending;
    const { steps } = local.status();
    await stream.return?.();
    while (local.status().running > 0) await turns(1);
    // One that ran meanwhile, one that had begun when the message came.
    expect(local.status().steps - steps).toBeLessThanOrEqual(2);
    await turns(3);
    expect(remote.status()).toMatchObject({ running: 0, heldBlocks: [0, 0] });
  });

  test("an abort is an end like any other, also before the first token", async () => {
    const { remote } = await connect();
    const controller = new AbortController();
    const events: GenerateEvent[] = [];
    for await (const event of remote.generate(request(1, { maxTokens: 150, signal: controller.signal }))) {
      events.push(event);
      if (events.length === 3) controller.abort();
    }
    const end = events.at(-1);
    expect(end).toMatchObject({ type: "end", reason: "aborted" });
    expect(end?.type === "end" && end.usage.outputTokens).toBe(tokensOf(events).length);
    const signal = AbortSignal.abort();
    expect((await collect(remote.generate(request(1, { signal })))).at(-1)).toMatchObject({
      reason: "aborted",
    });
  });

  test("a reader that is slow stops its request, not others, and still gets every token", async () => {
    const { local, remote } = await connect({ maxUnread: 4 }, { maxUnread: 6 });
    const slow = remote.generate(request(1, { maxTokens: 60 }))[Symbol.asyncIterator]();
    const first = await slow.next();
    await collect(remote.generate(request(2)));
    await turns(60);
    // Those under way, those that wait in the engine, and the guesses that were right in the last step.
    expect(local.status().outputTokens - 10).toBeLessThanOrEqual(6 + 4 + 8);
    const { steps } = local.status();
    await turns(20);
    expect(local.status().steps).toBe(steps);
    const rest = await collect({ [Symbol.asyncIterator]: () => slow });
    expect(tokensOf([first.value as GenerateEvent, ...rest])).toEqual(
      await generateAlone(model, request(1, { maxTokens: 60 })),
    );
  });

  test("is told to whoever keeps the thread: busy from the first request to the last", async () => {
    const told: boolean[] = [];
    const { remote } = await connect({}, { onBusy: (isBusy) => told.push(isBusy) });
    await Promise.all([1, 2].map((n) => collect(remote.generate(request(n)))));
    for await (const _ of remote.generate(request(3))) break;
    expect(told).toEqual([true, false, true, false]);
  });
});

describe("the end", () => {
  test("closing ends what runs and what comes later with a code, unread tokens first", async () => {
    const { remote } = await connect({ maxUnread: 2 }, { maxUnread: 2 });
    const running = collect(remote.generate(request(1, { maxTokens: 150 }))).catch((error: unknown) => error);
    const unread = remote.generate(request(2, { maxTokens: 150 }))[Symbol.asyncIterator]();
    await unread.next();
    await turns(10);
    await Promise.all([remote.close(), remote.close()]);
    expect(await running).toEqual(coded("engine/closed"));
    expect((await unread.next()).done).toBe(false);
    expect(await failureOf({ [Symbol.asyncIterator]: () => unread })).toEqual(coded("engine/closed"));
    expect(await failureOf(remote.generate(request(1)))).toEqual(coded("engine/closed"));
  });

  test("when the other side is lost, every stream says why, and closing does not wait", async () => {
    const { remote } = await connect();
    const running = [1, 2].map((n) => failureOf(remote.generate(request(n, { maxTokens: 150 }))));
    await turns(4);
    remote.lose(new GptOssError("engine/crashed", { message: "gone" }));
    expect(await Promise.all(running)).toEqual([coded("engine/crashed"), coded("engine/crashed")]);
    expect(await failureOf(remote.generate(request(1)))).toEqual(coded("engine/crashed"));
    await remote.close();
    expect(remote.status()).toMatchObject({ running: 0, waiting: 0 });
  });
});
