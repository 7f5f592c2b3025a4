import { expect, test } from "vitest";
import { GptOssError } from "../base/index.ts";
import type { GenerateRequest } from "./engine.ts";
import { parseRequest } from "./request.ts";
import { createScratch } from "./sampler/row.ts";

const limits = { vocabularySize: 100, contextLength: 50 };
const good: GenerateRequest = { tokens: [1, 2, 3], stopTokens: [9] };

function refusalOf(request: object): GptOssError | undefined {
  try {
    parseRequest({ ...good, ...request } as GenerateRequest, limits);
    return undefined;
  } catch (error) {
    if (GptOssError.isInstance(error)) return error;
    throw error;
  }
}

test("a request may say nothing but its tokens", () => {
  const job = parseRequest(good, limits);
  expect(job.maxTokens).toBe(47);
  expect(job.signal).toBeUndefined();
});

test("more tokens than the context holds are as many as it holds", () => {
  expect(parseRequest({ ...good, maxTokens: 1000 }, limits).maxTokens).toBe(47);
  expect(parseRequest({ ...good, maxTokens: 5 }, limits).maxTokens).toBe(5);
});

test("the caller's list may change while the request runs", () => {
  const tokens = [1, 2, 3];
  const job = parseRequest({ ...good, tokens }, limits);
  tokens.push(4);
  expect(job.prompt).toEqual([1, 2, 3]);
});

const [nan, infinite] = [Number.NaN, Number.POSITIVE_INFINITY];
const refused: readonly (readonly [field: string, value: string, request: object])[] = [
  ["tokens", "a list of 0", { tokens: [] }],
  ["tokens", "undefined", { tokens: undefined }],
  ["tokens", "50 ids", { tokens: Array(50).fill(1) }],
  ["tokens[1]", "100", { tokens: [1, 100] }],
  ["tokens[0]", "-1", { tokens: [-1] }],
  ["tokens[0]", "1.5", { tokens: [1.5] }],
  ["tokens[0]", "NaN", { tokens: [nan] }],
  ["tokens[0]", '"1"', { tokens: ["1"] }],
  ["stopTokens", "null", { stopTokens: null }],
  ["stopTokens[1]", "100", { stopTokens: [1, 100] }],
  ["maxTokens", "0", { maxTokens: 0 }],
  ["maxTokens", "2.5", { maxTokens: 2.5 }],
  ["maxTokens", "Infinity", { maxTokens: infinite }],
  ["topLogprobs", "21", { topLogprobs: 21 }],
  ["topLogprobs", "-1", { topLogprobs: -1 }],
  ["topLogprobs", "true", { topLogprobs: true }],
  ["signal", "an object", { signal: {} }],
  ["sampling", '"hot"', { sampling: "hot" }],
  ["sampling.temperature", "-0.1", { sampling: { temperature: -0.1 } }],
  ["sampling.temperature", "NaN", { sampling: { temperature: nan } }],
  ["sampling.temperature", "Infinity", { sampling: { temperature: infinite } }],
  ["sampling.temperature", '"1"', { sampling: { temperature: "1" } }],
  ["sampling.topP", "1.01", { sampling: { topP: 1.01 } }],
  ["sampling.topP", "-1", { sampling: { topP: -1 } }],
  ["sampling.topK", "0", { sampling: { topK: 0 } }],
  ["sampling.topK", "1.5", { sampling: { topK: 1.5 } }],
  ["sampling.minP", "1.5", { sampling: { minP: 1.5 } }],
  ["sampling.repetitionPenalty", "0", { sampling: { repetitionPenalty: 0 } }],
  ["sampling.frequencyPenalty", "2.1", { sampling: { frequencyPenalty: 2.1 } }],
  ["sampling.presencePenalty", "-2.1", { sampling: { presencePenalty: -2.1 } }],
  ["sampling.logitBias", "an object", { sampling: { logitBias: { 5: 1 } } }],
  ["sampling.logitBias", "100", { sampling: { logitBias: new Map([[100, 1]]) } }],
  ["sampling.logitBias of token 5", "101", { sampling: { logitBias: new Map([[5, 101]]) } }],
  ["sampling.logitBias of token 5", "NaN", { sampling: { logitBias: new Map([[5, nan]]) } }],
  ["sampling.seed", "1.5", { sampling: { seed: 1.5 } }],
  ["sampling.seed", "9007199254740992", { sampling: { seed: 2 ** 53 } }],
];

for (const [field, value, request] of refused) {
  test(`is refused, and says so: ${field} = ${value}`, () => {
    const error = refusalOf(request);
    expect(error?.code).toBe("engine/bad-request");
    expect(error?.message).toContain(field);
    expect(error?.message).toContain(value);
    expect(error?.hint).toMatch(/^(give|shorten) /);
  });
}

const accepted: readonly object[] = [
  { tokens: Array(49).fill(99) },
  { stopTokens: [] },
  { topLogprobs: 0 },
  { topLogprobs: 20 },
  { sampling: { temperature: 0, topP: 0, minP: 1, topK: 1e9, repetitionPenalty: 0.5 } },
  { sampling: { frequencyPenalty: -2, presencePenalty: 2, logitBias: new Map([[99, -100]]) } },
  { sampling: { seed: -1 } },
  { sampling: { seed: Number.MAX_SAFE_INTEGER } },
];

for (const request of accepted) {
  test(`is accepted: ${JSON.stringify(request).slice(0, 80)}`, () =>
    expect(refusalOf(request)).toBeUndefined());
}

/** The first tokens of a request over and over the same logits: tokens 0, 1, 2… in order of likelihood. */
function sampled(request: Partial<GenerateRequest>, count: number, step = 1): number[] {
  const logits = Float32Array.from({ length: 100 }, (_, token) => 10 - step * token);
  const job = parseRequest({ ...good, ...request }, limits);
  const scratch = createScratch(100);
  return Array.from({ length: count }, () => job.sample(logits, scratch).token);
}

const greedy = { temperature: 0 };
const effects: readonly (readonly [
  option: string,
  request: Partial<GenerateRequest>,
  tokens: readonly number[],
])[] = [
  ["temperature 0", { sampling: greedy }, [0, 0, 0]],
  ["logitBias", { sampling: { ...greedy, logitBias: new Map([[7, 7.5]]) } }, [7, 7, 7]],
  ["presencePenalty", { sampling: { ...greedy, presencePenalty: 1.5 } }, [0, 1, 0]],
  ["frequencyPenalty", { sampling: { ...greedy, frequencyPenalty: 0.8 } }, [0, 0, 1, 0, 1, 2]],
  [
    "repetitionPenalty, of the prompt too",
    { tokens: [0, 1], sampling: { ...greedy, repetitionPenalty: 1.5 } },
    [2, 3, 0],
  ],
];

for (const [option, request, tokens] of effects) {
  test(`has its effect: ${option}`, () => expect(sampled(request, tokens.length)).toEqual(tokens));
}

const cuts: readonly (readonly [option: string, request: Partial<GenerateRequest>, kept: number])[] = [
  ["topK", { sampling: { topK: 3, seed: 1 } }, 3],
  ["topP", { sampling: { topP: 0.66, seed: 1 } }, 2], // 1/e of the rest each: 0.63, 0.23, 0.09…
  ["minP", { sampling: { minP: 0.1, seed: 1 } }, 3],
  ["temperature, before the cuts", { sampling: { minP: 0.1, temperature: 2, seed: 1 } }, 5],
];

for (const [option, request, kept] of cuts) {
  test(`has its effect: ${option}`, () => {
    const distinct = [...new Set(sampled(request, 300))].sort((a, b) => a - b);
    expect(distinct).toEqual(Array.from({ length: kept }, (_, token) => token));
  });
}

test("all 53 bits of a seed count", () => {
  const drawn = [1, 1 + 2 ** 32, 1 + 2 ** 33, -1, 2 ** 32 - 1].map((seed) =>
    sampled({ sampling: { seed } }, 8, 0).join(),
  );
  expect(new Set(drawn).size).toBe(drawn.length);
});
