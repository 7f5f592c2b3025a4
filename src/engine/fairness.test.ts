// Who gets how much when many want more than there is.

import { expect, test } from "vitest";
import { createEngine } from "./create-engine.ts";
import type { GenerateRequest } from "./engine.ts";
import { loadTinyModel } from "./testing/models.ts";

const clients = 64;
const enoughTokens = 5_000;

/** Prompt and answer, in tokens; each client is of one kind, and asks again as soon as it was answered. */
const kinds = [
  { prompt: 3, answer: 8 },
  { prompt: 40, answer: 8 },
  { prompt: 6, answer: 60 },
  { prompt: 70, answer: 40 },
] as const;

test.each([
  ["all in the cache at once", { maxSequences: 64, cacheTokens: 8192, stepTokens: 128 }],
  ["8 places", { maxSequences: 8, cacheTokens: 1024, stepTokens: 64 }],
  ["a cache that holds a few", { maxSequences: 16, cacheTokens: 400, stepTokens: 32, maxPrefixes: 2 }],
] as const)(
  "64 clients of four kinds, %s: equal ones get equal shares, within a factor of two",
  async (_, options) => {
    const model = await loadTinyModel();
    const engine = createEngine(model, { blockTokens: 8, ...options });
    const received = Array.from({ length: clients }, () => 0);
    let total = 0;
    const ask = async (client: number): Promise<void> => {
      const { prompt, answer } = kinds[client % kinds.length];
      for (let turn = 0; total < enoughTokens; turn++) {
        const tokens = Array.from({ length: prompt }, (_, i) => (client * 7 + turn * 3 + i * i) % 61);
        const request: GenerateRequest = {
          tokens,
          stopTokens: [],
          maxTokens: answer,
          sampling: { seed: turn },
        };
        for await (const event of engine.generate(request)) {
          if (total >= enoughTokens) return;
          if (event.type !== "token") continue;
          received[client]++;
          total++;
        }
      }
    };
    await Promise.all(received.map((_, client) => ask(client)));
    for (const kind of kinds.keys()) {
      const shares = received.filter((_, client) => client % kinds.length === kind);
      expect(Math.max(...shares) / Math.min(...shares), `${shares}`).toBeLessThan(2);
    }
    await engine.close();
  },
);
