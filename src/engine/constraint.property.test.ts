// A constraint holds whatever else runs: beside others, preempted, with guessed tokens, from a kept start, with a bias
// against it; and a request under one gets the tokens that it gets alone.

import fc from "fast-check";
import { expect, test } from "vitest";
import { createEngine } from "./create-engine.ts";
import type { GenerateRequest } from "./engine.ts";
import { createGrammarCompiler } from "./grammar/compile.ts";
import type { Grammar } from "./grammar/constraint.ts";
import { generateAlone } from "./testing/alone.ts";
import { collect, tokensOf } from "./testing/collect.ts";
import { loadTinyModel } from "./testing/models.ts";

const model = await loadTinyModel();
const { vocabularySize } = model.config;

const characters = `{}[]":, \n0123456789-abcdefghijklmnopqrstuvwxyz\\.`;
const stop = vocabularySize - 1;
const call = vocabularySize - 2;
const tokenBytes = (token: number): Uint8Array | undefined =>
  token < characters.length ? Uint8Array.of(characters.charCodeAt(token)) : undefined;
const textOf = (tokens: readonly number[]): string => tokens.map((token) => characters[token]).join("");
const idOf = (character: string): number => characters.indexOf(character);

/** With what a text of it has to be. */
const grammars: readonly { readonly grammar: Grammar; readonly holds: (text: string) => boolean }[] = [
  {
    grammar: { type: "choice", choices: ["yes", "no", "now"] },
    holds: (text) => ["yes", "no", "now"].includes(text),
  },
  {
    grammar: { type: "regex", pattern: "[a-f]{3,12}(-\\d+){0,2}" },
    holds: (text) => /^[a-f]{3,12}(-\d+){0,2}$/.test(text),
  },
  {
    grammar: {
      type: "json-schema",
      schema: { type: "array", items: { enum: ["a", 12, true] }, minItems: 2, maxItems: 4 },
    },
    holds: (text) => {
      const items = JSON.parse(text) as unknown[];
      return (
        items.length >= 2 &&
        items.length <= 4 &&
        items.every((item) => ["a", 12, true].includes(item as string))
      );
    },
  },
];

const requests = fc
  .record({
    prompt: fc.array(fc.integer({ min: 0, max: vocabularySize - 1 }), { minLength: 1, maxLength: 10 }),
    thinking: fc.boolean(),
    choice: fc.integer({ min: 0, max: grammars.length - 1 }),
    sampling: fc.constantFrom<GenerateRequest["sampling"]>(
      { temperature: 0 },
      {
        seed: 1,
        temperature: 2,
        logitBias: new Map([
          [stop, -100],
          [idOf("x"), 100],
        ]),
      },
      { seed: 2, topP: 0.9, repetitionPenalty: 1.3, presencePenalty: 1 },
      { seed: 3, topK: 2, minP: 0.1, logitBias: new Map([[call, 100]]) },
    ),
  })
  .map(({ prompt, thinking, choice, sampling }) => {
    const { grammar } = grammars[choice];
    const ends = new Map([[stop, 2]]);
    return {
      choice,
      thinking,
      request: {
        tokens: prompt,
        maxTokens: 40,
        stopTokens: [stop],
        ...(sampling && { sampling }),
        topLogprobs: 1,
        constraint: {
          states: [
            thinking
              ? // Until a colon; an end is not to be thought of.
                { kind: "free", forbidden: [stop], on: new Map([[idOf(":"), 1]]) }
              : { kind: "paths", paths: [{ tokens: [call, idOf(":")], to: 1 }] },
            { kind: "grammar", grammar, on: ends },
            { kind: "free", on: new Map() },
          ],
        },
      } satisfies GenerateRequest,
    };
  });

const options = fc.record({
  // The longest request, of 10 + 40 tokens, fits alone; several do not fit together.
  cacheTokens: fc.constantFrom(52, 56, 128),
  blockTokens: fc.constantFrom(4, 8),
  maxSequences: fc.integer({ min: 2, max: 5 }),
  stepTokens: fc.constantFrom(8, 64),
  speculativeRows: fc.constantFrom(1, 4, 8),
});

test("constraints hold beside others, preempted and speculated, with the tokens of a request alone", async () => {
  const compiler = createGrammarCompiler({ vocabularySize, tokenBytes });
  const seen = { preemptions: 0, finished: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(requests, { minLength: 2, maxLength: 6 }),
      options,
      async (clients, engineOptions) => {
        const engine = createEngine(model, { ...engineOptions, tokenBytes });
        try {
          const events = await Promise.all(clients.map(({ request }) => collect(engine.generate(request))));
          for (const [index, { request, choice, thinking }] of clients.entries()) {
            const tokens = tokensOf(events[index]);
            expect(tokens).toEqual(await generateAlone(model, request, compiler));
            const end = events[index].at(-1);
            if (end?.type !== "end" || end.reason !== "stop") continue;
            seen.finished++;
            const start = thinking ? tokens.indexOf(idOf(":")) + 1 : 2;
            expect(tokens.at(-1)).toBe(stop);
            const text = textOf(tokens.slice(start, -1));
            if (!grammars[choice].holds(text)) throw new Error(`${text} is not what the grammar says`);
          }
          seen.preemptions += engine.status().preemptions;
        } finally {
          await engine.close();
        }
      },
    ),
    { seed: 11, numRuns: 60 },
  );
  expect(seen.finished).toBeGreaterThan(60);
  expect(seen.preemptions).toBeGreaterThan(0);
});

test("log-probabilities under a constraint are the model's own", async () => {
  const engine = createEngine(model, { tokenBytes });
  const request = {
    tokens: [1, 2, 3],
    stopTokens: [],
    maxTokens: 1,
    topLogprobs: 2,
    sampling: { temperature: 0 },
  };
  const [free] = await collect(engine.generate(request));
  const paths = { kind: "paths", paths: [{ tokens: [7], to: 0 }] } as const;
  const [forced] = await collect(engine.generate({ ...request, constraint: { states: [paths] } }));
  await engine.close();
  if (free.type !== "token" || forced.type !== "token") throw new Error("no token came");
  expect(forced.token).toBe(7);
  expect(forced.top).toEqual(free.top);
  expect(forced.logprob).toBeLessThan(0);
});

test("a grammar that cannot be compiled is the first read's error, and leaves nothing behind", async () => {
  const engine = createEngine(model, { tokenBytes });
  const state = {
    kind: "grammar",
    grammar: { type: "regex", pattern: "(" },
    on: new Map([[stop, 0]]),
  } as const;
  const request = { tokens: [1], stopTokens: [stop], constraint: { states: [state] } };
  await expect(collect(engine.generate(request))).rejects.toMatchObject({ code: "engine/bad-grammar" });
  expect(engine.status()).toMatchObject({ running: 0, waiting: 0 });
  await engine.close();
});
