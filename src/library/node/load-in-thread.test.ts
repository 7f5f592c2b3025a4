import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { describe, expect, test } from "vitest";
import { loadInThread } from "./index.ts";

/** What is loaded, with the thread that it is in. */
async function loadWithThread() {
  const started = once(process, "worker") as Promise<[Worker]>;
  const loaded = await loadInThread({});
  const [thread] = await started;
  return { ...loaded, thread };
}

const request = {
  tokens: [1, 2, 3],
  stopTokens: [],
  maxTokens: 400,
  sampling: { temperature: 0 },
};

describe("an engine in a thread", () => {
  test("ends with its thread, and requests say so", async () => {
    const { engine, info, close, thread } = await loadWithThread();
    expect(info).toMatchObject({ isEmbedded: true, plan: { contextLength: 8192 } });
    const ended = once(thread, "exit");
    let tokens = 0;
    const reading = (async () => {
      for await (const event of engine.generate(request))
        if (event.type === "token" && ++tokens === 5) void close();
    })();
    await expect(reading).rejects.toMatchObject({ code: "engine/closed" });
    expect(await ended).toEqual([0]);
    await close();
  });

  test("that dies fails what runs and what comes later, and can be closed", async () => {
    const { engine, close, thread } = await loadWithThread();
    const stream = engine.generate(request)[Symbol.asyncIterator]();
    await stream.next();
    await thread.terminate();
    const crashed = { code: "engine/crashed", hint: expect.stringContaining("load the model again") };
    const rest = (async () => {
      while (!(await stream.next()).done);
    })();
    await expect(rest).rejects.toMatchObject(crashed);
    await expect(engine.generate(request)[Symbol.asyncIterator]().next()).rejects.toMatchObject(crashed);
    await close();
  });

  test("holds its cache in 8 bits where it is told to", async () => {
    const { engine, info, close } = await loadInThread({ cache: "int8", contextTokens: 512 });
    expect(info.plan.cacheStorage).toBe("int8");
    let tokens = 0;
    for await (const event of engine.generate({ ...request, maxTokens: 5 }))
      if (event.type === "token") tokens++;
    expect(tokens).toBe(5);
    await close();
  });

  test("leaves this thread awake while it computes", async () => {
    const { engine, close } = await loadWithThread();
    const tokens = Array.from({ length: 512 }, (_, i) => i);
    const first = engine
      .generate({ ...request, tokens, maxTokens: 1 })
      [Symbol.asyncIterator]()
      .next();
    let isDone = false;
    void first.then(() => (isDone = true));
    let turns = 0;
    // One step of 512 tokens takes hundreds of milliseconds; in this thread, it would be one turn.
    for (; !isDone; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(turns).toBeGreaterThan(5);
    await close();
  });

  test("is interrupted while it loads, with the signal's own reason", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const started = once(process, "worker") as Promise<[Worker]>;
    const loading = loadInThread({ signal: controller.signal, onProgress: () => controller.abort(reason) });
    await expect(loading).rejects.toBe(reason);
    const [thread] = await started;
    expect(thread.threadId).toBe(-1); // it has ended
  });
});
