// The embedded model's greedy answers are those of OpenAI's own code, alone and in a crowd.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createEngine, type LocalEngine } from "./create-engine.ts";
import { collect, tokensOf } from "./testing/collect.ts";
import { loadMicroModel } from "./testing/models.ts";

interface Golden {
  readonly question: string;
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
}

const goldens = JSON.parse(readFileSync("test/golden/micro/greedy.json", "utf8")) as readonly Golden[];
const model = await loadMicroModel();

async function answer(engine: LocalEngine, { prompt, greedy }: Golden): Promise<number[]> {
  const sampling = { temperature: 0 };
  const request = { tokens: prompt, stopTokens: model.config.stopTokens, maxTokens: greedy.length, sampling };
  return tokensOf(await collect(engine.generate(request)));
}

test("alone", async () => {
  const engine = createEngine(model, { maxSequences: 1 });
  for (const golden of goldens.toSorted((a, b) => a.greedy.length - b.greedy.length).slice(0, 3))
    expect(await answer(engine, golden), golden.question).toEqual(golden.greedy);
  await engine.close();
});

test.each(["bf16", "int8"] as const)(
  "all at once, in a cache in %s that holds one or two of them",
  async (cacheStorage) => {
    const size = { cacheTokens: 336, maxSequences: 6, stepTokens: 64, blockTokens: 16 };
    const engine = createEngine(model, { ...size, cacheStorage });
    const answers = await Promise.all(goldens.map((golden) => answer(engine, golden)));
    for (const [index, golden] of goldens.entries())
      expect(answers[index], golden.question).toEqual(golden.greedy);
    expect(engine.status().preemptions).toBeGreaterThan(0);
    await engine.close();
    expect(engine.status().heldBlocks).toEqual([0, 0]);
    expect(model.backend.usage()).toMatchObject({ tensors: 0, caches: 0 });
  },
);
