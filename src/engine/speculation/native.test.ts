// Guessing changes nothing on the backend that it is for: rows of one sequence that run together give the bits that
// they give one by one.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createNativeBackend } from "../../backend/native/index.ts";
import { forEachVariant } from "../../backend/native/testing/for-each-variant.ts";
import { openCheckpoint } from "../../checkpoint/node/index.ts";
import { loadModel } from "../../model/index.ts";
import { createEngine } from "../create-engine.ts";
import type { GenerateEvent, GenerateRequest } from "../engine.ts";
import { collect } from "../testing/collect.ts";

interface Golden {
  readonly prompt: readonly number[];
  readonly greedy: readonly number[];
}

const goldens = JSON.parse(readFileSync("test/golden/micro/greedy.json", "utf8")) as readonly Golden[];
const [longest] = goldens.toSorted((a, b) => b.greedy.length - a.greedy.length);
/** A question that was asked and answered before, at lengths around where attention cuts positions into pieces. */
const prompts = [130, 1010].map((length) => {
  const before = [...longest.prompt, ...longest.greedy];
  const padding = Array.from(
    { length: Math.max(0, length - before.length - longest.prompt.length) },
    () => 5,
  );
  return [...padding, ...before, ...longest.prompt];
});

forEachVariant((kernels) => {
  describe(`native, ${kernels}`, () => {
    test("the same tokens and log-probabilities, to the last bit, with guesses and without", async () => {
      const backend = createNativeBackend({ kernels });
      const checkpoint = await openCheckpoint("models/micro");
      const model = await loadModel(checkpoint, backend);
      expect(backend.cheapRows).toBe(8);
      let accepted = 0;
      const answer = async (request: GenerateRequest, speculativeRows: number): Promise<GenerateEvent[]> => {
        const engine = createEngine(model, { cacheTokens: 4096, maxPrefixes: 0, speculativeRows });
        const events = await collect(engine.generate(request));
        accepted += engine.status().acceptedGuesses;
        await engine.close();
        return events;
      };
      for (const tokens of prompts) {
        for (const sampling of [{ temperature: 0 }, { seed: 3 }]) {
          const request = { tokens, stopTokens: [], maxTokens: 40, sampling, topLogprobs: 2 };
          expect(await answer(request, 8)).toEqual(await answer(request, 1));
        }
      }
      expect(accepted).toBeGreaterThan(20);
      await backend.close();
      await checkpoint.close();
    });
  });
});
