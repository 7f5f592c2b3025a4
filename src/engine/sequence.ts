// One request while it runs: its tokens, where they are in the cache, and who reads the result. State only: the
// scheduler decides when it moves, the engine moves it.

import type { BatchSequence } from "../backend/index.ts";
import type { SequenceCache } from "../model/index.ts";
import type { FinishReason, GenerateEvent, TokenUsage } from "./engine.ts";
import type { EventStream } from "./event-stream.ts";
import { type HashedTokens, hashTokens } from "./hashed-tokens.ts";
import type { Prefix } from "./prefix-cache.ts";
import type { Job } from "./request.ts";
import type { Sampled } from "./sampler/sampler.ts";
import type { Schedulable } from "./scheduler.ts";
import { createGuesser, type Guessing } from "./speculation/speculator.ts";

export interface Sequence extends Schedulable, Guessing, HashedTokens {
  readonly job: Job;
  readonly stream: EventStream<GenerateEvent>;
  /** Prompt and output. */
  readonly tokens: readonly number[];
  readonly usage: TokenUsage;
  /** Its place; `undefined` while it waits. */
  cache: SequenceCache | undefined;
  /** What runs in this step, guesses included. */
  chunk: BatchSequence | undefined;
  /** Tokens that run in this step in case they are sampled. */
  guesses: readonly number[];
  /** Prompt tokens that were in the cache when it first got a place. */
  cachedTokens: number | undefined;
  /** Lengths, not reached yet, at which its start is worth keeping. */
  keepAt: readonly number[];
  /** The start that is kept once it is over. */
  tail: Prefix | undefined;
  /** Nobody waits for it any more. */
  isOver: boolean;
  onOver: () => void;
  /** The token joins the sequence and its stream; → why the sequence ends with it, if it does. */
  accept(sampled: Sampled): FinishReason | undefined;
}

export interface SequenceOptions {
  /** Smaller came earlier. */
  readonly arrival: number;
  readonly blockTokens: number;
  readonly stream: EventStream<GenerateEvent>;
}

export function createSequence(job: Job, { arrival, blockTokens, stream }: SequenceOptions): Sequence {
  const { prompt, maxTokens, stopTokens } = job;
  const tokens = [...prompt];
  const outputTokens = (): number => tokens.length - prompt.length;
  return {
    ...hashTokens(tokens, blockTokens),
    job,
    arrival,
    stream,
    guesser: createGuesser(prompt.length + maxTokens),
    cache: undefined,
    chunk: undefined,
    guesses: [],
    cachedTokens: undefined,
    keepAt: [],
    tail: undefined,
    isOver: false,
    onOver() {},
    get length() {
      return tokens.length;
    },
    get pending() {
      return tokens.length - (this.cache?.length ?? 0);
    },
    get isPaused() {
      return stream.isFull;
    },
    get guessable() {
      return maxTokens - outputTokens() - 1;
    },
    get usage() {
      return {
        promptTokens: prompt.length,
        cachedTokens: this.cachedTokens ?? 0,
        outputTokens: outputTokens(),
      };
    },
    accept(sampled) {
      tokens.push(sampled.token);
      stream.push({ type: "token", ...sampled });
      if (stopTokens.has(sampled.token)) return "stop";
      return outputTokens() >= maxTokens ? "length" : undefined;
    },
  };
}
