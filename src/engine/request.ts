// A request, checked once: what comes out has every default filled in and every field in range. Refuses with
// `engine/bad-request`, naming the field, the value and what is allowed. Knows nothing of what else is running.

import { GptOssError, random } from "../base/index.ts";
import type { GenerateRequest, SamplingOptions } from "./engine.ts";
import type { GrammarCompiler } from "./grammar/compile.ts";
import { compileConstraint, constrained } from "./grammar/machine.ts";
import { type LogitsProcessor, logitBias, outputPenalties, repetitionPenalty } from "./sampler/processors.ts";
import type { Scratch } from "./sampler/row.ts";
import { type Sampled, type SamplingRule, sample } from "./sampler/sampler.ts";

/** A request that can be run. */
export interface Job {
  readonly prompt: readonly number[];
  readonly maxTokens: number;
  readonly stopTokens: ReadonlySet<number>;
  readonly signal: AbortSignal | undefined;
  /** The next token; holds the request's own random numbers and what its penalties have seen. */
  sample(logits: Float32Array, scratch: Scratch): Sampled;
}

export interface RequestLimits {
  readonly vocabularySize: number;
  /** Prompt and output together. */
  readonly contextLength: number;
  /** Absent in an engine that does not know its tokens' text. */
  readonly grammars?: GrammarCompiler | undefined;
}

export function parseRequest(request: GenerateRequest, limits: RequestLimits): Job {
  const prompt = checkTokens("tokens", request.tokens, limits.vocabularySize);
  if (prompt.length === 0) throw refusal("tokens", prompt, "at least one token");
  const room = limits.contextLength - prompt.length;
  if (room < 1) {
    throw new GptOssError("engine/bad-request", {
      message: `tokens has ${prompt.length} ids, and the context holds ${limits.contextLength} with the answer`,
      hint: "shorten the conversation, or make room for a larger context (`--context` on the command line)",
    });
  }
  const { signal } = request;
  checkSignal(signal);
  const maxTokens = optional(request.maxTokens, room, (value) =>
    checkInteger("maxTokens", value, { min: 1 }),
  );
  const stopTokens = checkTokens("stopTokens", request.stopTokens, limits.vocabularySize);
  const rule = samplingRule(request, prompt, limits);
  const source = random(seedOf(request.sampling?.seed));
  return {
    prompt,
    maxTokens: Math.min(maxTokens, room),
    stopTokens: new Set(stopTokens),
    signal,
    sample: (logits, scratch) => sample(logits, rule, { random: source, scratch }),
  };
}

export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && typeof signal?.addEventListener !== "function")
    throw refusal("signal", signal, "an AbortSignal");
}

function samplingRule(
  { sampling = {}, topLogprobs, constraint }: GenerateRequest,
  prompt: readonly number[],
  { vocabularySize, grammars }: RequestLimits,
): SamplingRule {
  if (typeof sampling !== "object" || sampling === null) throw refusal("sampling", sampling, "an object");
  const number = (field: NumberField, range: Range): number =>
    optional(sampling[field], neutral[field], (value) => checkNumber(`sampling.${field}`, value, range));
  return {
    temperature: number("temperature", { min: 0, max: 100 }),
    topK: optional(sampling.topK, Number.POSITIVE_INFINITY, (value) =>
      checkInteger("sampling.topK", value, { min: 1 }),
    ),
    topP: number("topP", { min: 0, max: 1 }),
    minP: number("minP", { min: 0, max: 1 }),
    processors: [
      ...processorsOf(
        {
          bias: checkBias(sampling.logitBias, vocabularySize),
          repetition: number("repetitionPenalty", { min: 0.01, max: 100 }),
          frequency: number("frequencyPenalty", { min: -2, max: 2 }),
          presence: number("presencePenalty", { min: -2, max: 2 }),
        },
        prompt,
      ),
      ...(constraint === undefined
        ? []
        : [constrained(compileConstraint(constraint, { vocabularySize, grammars }))]),
    ],
    topLogprobs: optional(topLogprobs, undefined, (value) =>
      checkInteger("topLogprobs", value, { min: 0, max: 20 }),
    ),
  };
}

type NumberField = keyof typeof neutral;

const neutral = {
  temperature: 1,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  frequencyPenalty: 0,
  presencePenalty: 0,
} satisfies SamplingOptions;

interface Edits {
  readonly bias: ReadonlyMap<number, number>;
  readonly repetition: number;
  readonly frequency: number;
  readonly presence: number;
}

/** In the order in which they act; neutral ones are left out, so that they cost nothing. */
function processorsOf(edits: Edits, prompt: readonly number[]): LogitsProcessor[] {
  const { bias, repetition, frequency, presence } = edits;
  const processors: LogitsProcessor[] = [];
  if (bias.size > 0) processors.push(logitBias(bias));
  if (repetition !== 1) processors.push(repetitionPenalty(repetition, prompt));
  if (frequency !== 0 || presence !== 0) processors.push(outputPenalties(frequency, presence));
  return processors;
}

/** 32 bits that depend on all 53 of a safe integer, and are it where it has no more. */
function seedOf(seed: number | undefined): number {
  if (seed === undefined) return crypto.getRandomValues(new Uint32Array(1))[0];
  checkInteger("sampling.seed", seed, { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  return (seed >>> 0) + Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1);
}

interface Range {
  readonly min: number;
  readonly max?: number;
}

function optional<T, D>(value: T | undefined, fallback: D, check: (value: T) => T): T | D {
  return value === undefined ? fallback : check(value);
}

function checkNumber(field: string, value: number, range: Range): number {
  const { min, max = Number.POSITIVE_INFINITY } = range;
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw refusal(field, value, `a number ${inWords(range)}`);
}

function checkInteger(field: string, value: number, range: Range): number {
  const { min, max = Number.POSITIVE_INFINITY } = range;
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw refusal(field, value, `an integer ${inWords(range)}`);
}

function inWords({ min, max }: Range): string {
  return max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
}

/** A copy: the caller's list may change while the request runs. */
function checkTokens(field: string, tokens: readonly number[], vocabularySize: number): number[] {
  if (!Array.isArray(tokens)) throw refusal(field, tokens, "a list of token ids");
  const bad = tokens.findIndex((token) => !(Number.isInteger(token) && token >= 0 && token < vocabularySize));
  if (bad >= 0) throw refusal(`${field}[${bad}]`, tokens[bad], `a token id from 0 to ${vocabularySize - 1}`);
  return [...tokens];
}

function checkBias(
  bias: ReadonlyMap<number, number> | undefined,
  vocabularySize: number,
): ReadonlyMap<number, number> {
  if (bias === undefined) return new Map();
  if (!(bias instanceof Map)) throw refusal("sampling.logitBias", bias, "a Map from token id to number");
  checkTokens("the ids of sampling.logitBias", [...bias.keys()], vocabularySize);
  for (const [token, value] of bias)
    checkNumber(`sampling.logitBias of token ${token}`, value, { min: -100, max: 100 });
  return new Map(bias);
}

function refusal(field: string, value: unknown, allowed: string): GptOssError {
  return new GptOssError("engine/bad-request", {
    message: `${field} is ${describe(value)}, which cannot be run`,
    hint: `give ${allowed}`,
  });
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 40));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
