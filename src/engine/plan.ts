// What an engine takes: decided once, before anything is allocated, and said aloud. Knows bytes and token counts.

import type { KvCacheSpec, KvStorage } from "../backend/index.ts";
import { GptOssError } from "../base/index.ts";
import { cachePlan, type Model } from "../model/index.ts";

export interface EngineOptions {
  /** Tokens that the key-value cache holds, over all sequences; default 16,384 or the model's context, if smaller. */
  readonly cacheTokens?: number;
  /** Instead of `cacheTokens`: as many tokens as fit these bytes. */
  readonly cacheBytes?: number;
  /** `int8` holds about twice the tokens in the same bytes, rounded; default `bf16`. */
  readonly cacheStorage?: KvStorage;
  /** Sequences that run at once; default 8. */
  readonly maxSequences?: number;
  /** Requests that wait for a place beyond those that run; default 256. One more is refused: `engine/overloaded`. */
  readonly maxWaiting?: number;
  /** Tokens in one step; default 512. Fewer give smoother streams, more give faster prompts. */
  readonly stepTokens?: number;
  /** Starts of earlier sequences that are kept to be continued; default 16, 0 keeps none. */
  readonly maxPrefixes?: number;
  /** Events that may wait for their consumer before its request pauses; default 64. */
  readonly maxUnread?: number;
  /** Tokens in one block of the cache; default 32. */
  readonly blockTokens?: number;
  /**
   * Rows of a step that guessed tokens may fill, where guessing pays; it never changes what is sampled. Default: what
   * the backend says. 1 guesses nothing.
   */
  readonly speculativeRows?: number;
  /**
   * The text of each ordinary token, `undefined` for special tokens and ids that are not in use: what grammars are
   * matched with. Without it, requests with a grammar are refused.
   */
  readonly tokenBytes?: (token: number) => Uint8Array | undefined;
}

/** Every option as it applies, and what follows from them. */
export interface EnginePlan extends Required<Omit<EngineOptions, "tokenBytes">> {
  /** Prompt and output of one request together: the model's context, or what the cache holds. */
  readonly contextLength: number;
}

/** Throws `engine/bad-option`. */
export function planEngine(
  model: Pick<Model, "config" | "backend">,
  options: EngineOptions,
): { plan: EnginePlan; spec: KvCacheSpec } {
  const maxSequences = positive("maxSequences", options.maxSequences ?? 8);
  const maxPrefixes = positive("maxPrefixes", options.maxPrefixes ?? 16, 0);
  const stepTokens = positive("stepTokens", options.stepTokens ?? 512);
  const blockTokens = positive("blockTokens", options.blockTokens ?? 32);
  if (stepTokens < maxSequences) {
    throw badOption(
      `stepTokens is ${stepTokens}, which is less than maxSequences, ${maxSequences}`,
      "every sequence that runs needs a token of every step",
    );
  }
  const cacheStorage = options.cacheStorage ?? "bf16";
  if (cacheStorage !== "bf16" && cacheStorage !== "int8") {
    throw badOption(`cacheStorage is ${JSON.stringify(cacheStorage)}`, "give bf16 or int8");
  }
  const specFor = (contextTokens: number): KvCacheSpec =>
    cachePlan(model.config, {
      contextTokens,
      sequences: maxSequences + maxPrefixes,
      chunkTokens: stepTokens,
      blockTokens,
      storage: cacheStorage,
    });
  const cacheTokens =
    options.cacheBytes === undefined
      ? positive("cacheTokens", options.cacheTokens ?? Math.min(16_384, model.config.contextLength))
      : tokensInBytes(options.cacheBytes, (tokens) => model.backend.cacheBytes(specFor(tokens)), blockTokens);
  const spec = specFor(cacheTokens);
  const plan: EnginePlan = {
    cacheTokens,
    cacheBytes: model.backend.cacheBytes(spec),
    cacheStorage,
    maxSequences,
    maxWaiting: positive("maxWaiting", options.maxWaiting ?? 256, 0),
    stepTokens,
    maxPrefixes,
    maxUnread: positive("maxUnread", options.maxUnread ?? 64),
    blockTokens,
    speculativeRows: positive("speculativeRows", options.speculativeRows ?? model.backend.cheapRows),
    contextLength: Math.min(model.config.contextLength, cacheTokens),
  };
  return { plan, spec };
}

/** The most whole blocks of tokens whose cache fits. */
function tokensInBytes(bytes: number, bytesOf: (tokens: number) => number, blockTokens: number): number {
  if (!(bytesOf(blockTokens) <= bytes)) {
    throw badOption(
      `cacheBytes is ${bytes}, and the smallest cache takes ${bytesOf(blockTokens)} bytes`,
      "give more, or lower maxSequences, maxPrefixes or stepTokens",
    );
  }
  let [fits, tooMany] = [1, 2];
  while (bytesOf(tooMany * blockTokens) <= bytes) [fits, tooMany] = [tooMany, tooMany * 2];
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (bytesOf(middle * blockTokens) <= bytes) fits = middle;
    else tooMany = middle;
  }
  return fits * blockTokens;
}

function positive(name: keyof EngineOptions, value: number, min = 1): number {
  if (Number.isSafeInteger(value) && value >= min) return value;
  throw badOption(`${name} is ${value}`, `give an integer of at least ${min}`);
}

function badOption(message: string, hint: string): GptOssError {
  return new GptOssError("engine/bad-option", { message, hint });
}
