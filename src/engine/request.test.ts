import { expect, test } from "vitest";
import { GptOssError } from "../base/index.ts";
import type { GenerateRequest } from "./engine.ts";
import { parseRequest } from "./request.ts";

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

test("all 53 bits of a seed count", () => {
  const flat = new Float32Array(100);
  const scratch = {
    edited: flat.slice(),
    maxima: new Float32Array(1),
    sums: new Float64Array(1),
    keys: new Float64Array(100),
  };
  const drawn = [1, 1 + 2 ** 32, 1 + 2 ** 33, -1, 2 ** 32 - 1].map((seed) => {
    const job = parseRequest({ ...good, sampling: { seed } }, limits);
    return Array.from({ length: 8 }, () => job.sample(flat, scratch).token).join();
  });
  expect(new Set(drawn).size).toBe(drawn.length);
});
