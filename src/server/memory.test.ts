import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { createMemoryStore } from "./index.ts";
import { final, post, scriptedServer } from "./testing/scripted-server.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

test.each(["chat", "responses"])("%s: nothing of a request is kept once it is answered", async (api) => {
  const requests = 1200;
  const server = scriptedServer(
    Array.from({ length: requests }, () => final("word ".repeat(60))),
    { store: createMemoryStore({ limits: { maxResponses: 10 } }) },
  );
  const heap = (): number => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  let settled = 0;
  for (let i = 0; i < requests; i++) {
    const messages = [{ role: "user", content: `hello ${i}` }];
    const body = { model: "test", stream: true };
    const request =
      api === "chat"
        ? post("/v1/chat/completions", { ...body, messages })
        : post("/v1/responses", { ...body, input: messages });
    await (await server.fetch(request)).text();
    (server.engine.requests as unknown[]).length = 0; // what the script remembers for tests
    await new Promise((resolve) => setImmediate(resolve));
    if (i === 200) settled = heap();
  }
  // A kilobyte each would be 1 MB; a listener that was left on a signal kept 22 kB.
  expect(heap() - settled).toBeLessThan(3e6);
});
