import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { random } from "../../base/index.ts";
import { createEngine } from "../create-engine.ts";
import type { GenerateRequest } from "../engine.ts";
import type { TokenConstraint } from "../grammar/constraint.ts";
import { generateAlone } from "../testing/alone.ts";
import { collect, tokensOf } from "../testing/collect.ts";
import { loadTinyModel } from "../testing/models.ts";
import { createLookup } from "./lookup.ts";
import { createGuesser, createSpeculator, type Guessing } from "./speculator.ts";

describe("the look-up", () => {
  test("says what followed the last time, after the longer of two likenesses", () => {
    const phrase = [1, 2, 3, 4, 5, 6, 7, 8];
    expect(createLookup(100).guess([...phrase, 9, 10, 11, ...phrase], 2)).toEqual([9, 10]);
    const misleading = [6, 7, 8, 40, 41];
    expect(createLookup(100).guess([...phrase, 9, 10, ...misleading, ...phrase], 2)).toEqual([9, 10]);
    expect(createLookup(100).guess([6, 7, 8, 40, 41, 5, 6, 7, 8], 2)).toEqual([40, 41]);
  });

  test("goes round in a loop", () => {
    expect(createLookup(100).guess([9, 1, 2, 3, 4, 1, 2, 3], 7)).toEqual([4, 1, 2, 3, 4, 1, 2]);
  });

  test("has nothing to say where nothing repeats, nor at the very beginning", () => {
    const lookup = createLookup(100);
    for (const tokens of [[], [1], [1, 2, 3], [1, 2, 3, 4, 5, 6]])
      expect(lookup.guess(tokens, 4)).toEqual([]);
  });

  test("never invents: every guess followed the same three tokens before", () => {
    const tokens = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 4, maxLength: 200 });
    fc.assert(
      fc.property(tokens, fc.integer({ min: 1, max: 8 }), (all, count) => {
        const lookup = createLookup(all.length);
        let isFound = false;
        for (let end = 1; end <= all.length; end += 7) {
          const soFar = all.slice(0, end);
          const guesses = lookup.guess(soFar, count);
          if (guesses.length === 0) continue;
          isFound = true;
          const together = [...soFar, ...guesses].join();
          const evidence = [...soFar.slice(-3), guesses[0]].join();
          expect([guesses.length, together.indexOf(evidence) < together.lastIndexOf(evidence)]).toEqual([
            count,
            true,
          ]);
        }
        return isFound || all.length < 100; // five kinds of token cannot go on for long without a repetition
      }),
      { seed: 20261120, numRuns: 200 },
    );
  });
});

describe("guessing", () => {
  /** How much sooner tokens come, on a text that repeats, of which a share goes on otherwise than last time. */
  function speedup(options: { right: number; cost: (rows: number) => number; sequences?: number }): number {
    const { right, cost, sequences: count = 1 } = options;
    const speculator = createSpeculator(8);
    const sequences = Array.from(
      { length: count },
      (): Guessing => ({ tokens: [1, 2, 3, 4, 5, 1, 2, 3], guessable: 100, guesser: createGuesser(100) }),
    );
    const { float } = random(1);
    let [time, tokens] = [0, 0];
    for (let step = 0; step < 2000; step++) {
      const guesses = speculator.guess(sequences);
      const guessed = guesses.reduce((sum, { length }) => sum + length, 0);
      const milliseconds = cost(count + guessed);
      speculator.observe(count + guessed, guessed, milliseconds);
      time += milliseconds;
      for (const [index, { length }] of guesses.entries()) {
        let accepted = 0;
        while (accepted < length && float() < right) accepted++;
        if (length > 0) sequences[index].guesser.learn(length, accepted);
        tokens += 1 + accepted;
      }
    }
    return tokens / time / (count / cost(count));
  }
  const cheap = (rows: number): number => 10 + rows;
  const dear = (rows: number): number => 10 * rows;

  test("pays where rows are cheap and guesses right", () => {
    expect(speedup({ right: 1, cost: cheap })).toBeGreaterThan(4.8); // 8 tokens for 18 instead of 88: 4.9
    expect(speedup({ right: 1, cost: cheap, sequences: 4 })).toBeGreaterThan(1.5); // 8 for 18 instead of 28: 1.56
    expect(speedup({ right: 0.5, cost: cheap })).toBeGreaterThan(1.3); // 1.75 for 13 instead of 19: 1.48
  });

  test("costs next to nothing where guesses are wrong, or rows as dear as steps", () => {
    expect(speedup({ right: 0, cost: cheap })).toBeGreaterThan(0.985);
    for (const right of [0, 0.5, 0.9, 1]) expect(speedup({ right, cost: dear })).toBeGreaterThan(0.97);
    expect(speedup({ right: 1, cost: dear, sequences: 8 })).toBe(1);
  });

  test("is not put off by pauses of the process, nor by a machine that becomes faster or slower", () => {
    for (const factor of [0.1, 10]) {
      let steps = 0;
      const guessed: number[] = [];
      const changing = (rows: number): number => {
        if (++steps > 1500) guessed.push(rows - 1);
        return cheap(rows) * (steps < 1000 ? 1 : factor) * (steps % 50 === 0 ? 100 : 1);
      };
      speedup({ right: 1, cost: changing });
      expect(guessed.reduce((sum, rows) => sum + rows) / guessed.length).toBeGreaterThan(6.5);
    }
  });
});

describe("an engine that guesses", () => {
  const around: TokenConstraint = {
    states: [{ kind: "paths", paths: [{ tokens: [11, 12, 13, 14, 15], to: 0 }] }],
  };
  const request: GenerateRequest = {
    tokens: [1, 2, 3, 4, 5, 6, 7],
    stopTokens: [],
    maxTokens: 64,
    sampling: { seed: 5 },
  };

  test("counts what was asked and answered as if it had not, and what it ran apart", async () => {
    const model = await loadTinyModel();
    for (const constraint of [around, undefined]) {
      const asked = { ...request, ...(constraint && { constraint }) };
      const engine = createEngine(model, { cacheTokens: 192, blockTokens: 4, speculativeRows: 8 });
      const events = await collect(engine.generate(asked));
      expect(tokensOf(events)).toEqual(await generateAlone(model, asked));
      expect(events.at(-1)).toEqual({
        type: "end",
        reason: "length",
        usage: { promptTokens: 7, cachedTokens: 0, outputTokens: 64 },
      });
      const { outputTokens, promptTokens, computedTokens, acceptedGuesses, refusedGuesses, steps } =
        engine.status();
      expect([promptTokens, outputTokens]).toEqual([7, 64]);
      expect(computedTokens).toBe(7 + 63 + refusedGuesses); // the last one did not run
      expect(steps).toBe(64 - acceptedGuesses);
      if (constraint) expect(acceptedGuesses).toBeGreaterThan(0);
      await engine.close();
    }
  });

  test("does not go beyond a stop token or the limit, though it guessed beyond", async () => {
    const model = await loadTinyModel();
    const engine = createEngine(model, { cacheTokens: 192, blockTokens: 4, speculativeRows: 8 });
    for (const more of [{ stopTokens: [14] }, { maxTokens: 33 }]) {
      const stopping = { ...request, constraint: around, tokens: [11, 12, 13, 14, 15, 11, 12, 13], ...more };
      const events = await collect(engine.generate(stopping));
      expect(tokensOf(events)).toEqual(await generateAlone(model, stopping));
    }
    await engine.close();
  });
});
