// The engine seam: token ids in, token ids out. The caller hands over the whole prefix; what is reused, batched,
// preempted or speculated is invisible. Never knows text, harmony or tools.

import type { TokenConstraint } from "./grammar/constraint.ts";
import type { EngineStatus } from "./status.ts";

/** Neutral by default: temperature 1, everything else off. Fields follow the OpenAI names' meaning. */
export interface SamplingOptions {
  /** 0 is greedy (the lowest id where logits are equal). 0 to 100, default 1. */
  readonly temperature?: number;
  /** Smallest set of likeliest tokens whose probability reaches this. 0 to 1, default 1. */
  readonly topP?: number;
  /** Keep this many of the likeliest; default all. */
  readonly topK?: number;
  /** Keep tokens at least this likely relative to the likeliest. 0 to 1, default 0. */
  readonly minP?: number;
  /** Divides (or multiplies, when negative) logits of tokens in prompt and output. 0.01 to 100, default 1. */
  readonly repetitionPenalty?: number;
  /** Subtracted for each time that a token was sampled in this request. -2 to 2, default 0. */
  readonly frequencyPenalty?: number;
  /** Subtracted once from tokens that were sampled in this request. -2 to 2, default 0. */
  readonly presencePenalty?: number;
  /** Added to the logit of a token id before anything else. -100 to 100. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /**
   * Any safe integer. Same seed, prompt and options: same tokens, whatever else runs, on a backend whose rows do not
   * depend on their neighbours. Default: drawn at random and reported nowhere.
   */
  readonly seed?: number;
}

export interface GenerateRequest {
  /** The whole prefix. */
  readonly tokens: readonly number[];
  /** At most this many new tokens; default: what the context still holds. */
  readonly maxTokens?: number;
  /** Generation ends after one of these is sampled; the stop token is yielded. */
  readonly stopTokens: readonly number[];
  readonly sampling?: SamplingOptions;
  /** Yield log-probabilities of the sampled token and of this many likeliest ones. 0 to 20. */
  readonly topLogprobs?: number;
  /**
   * Which tokens may be sampled where; it goes before everything in `sampling`, and log-probabilities stay the model's
   * own. Grammars need an engine that was made with `tokenBytes`. What cannot be compiled is `engine/bad-grammar`.
   */
  readonly constraint?: TokenConstraint;
  readonly signal?: AbortSignal;
}

export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

export type GenerateEvent =
  | {
      readonly type: "token";
      readonly token: number;
      /** Of the model's own distribution (temperature 1, before penalties), when asked for. */
      readonly logprob?: number;
      readonly top?: readonly TokenLogprob[];
    }
  | { readonly type: "end"; readonly reason: FinishReason; readonly usage: TokenUsage };

export type FinishReason = "stop" | "length" | "aborted";

export interface TokenUsage {
  readonly promptTokens: number;
  /** Of those, taken from a cache. */
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

export interface Engine {
  readonly contextLength: number;
  readonly vocabularySize: number;
  /**
   * Yields tokens as they are sampled and ends with one `end` event. Begins with the first read, which throws
   * `engine/bad-request` for requests that cannot be run (an empty or too long prompt, ids outside the vocabulary,
   * options out of range), `engine/overloaded` when too many wait, `engine/closed` after `close`. An abort is not an
   * error: the stream ends with reason `aborted`. Leaving the loop early frees the request's place. A request whose
   * consumer does not read pauses. What a step throws, the requests that were part of it throw.
   */
  generate(request: GenerateRequest): AsyncIterable<GenerateEvent>;
  /** Of an engine in another thread: as it was a moment ago. */
  status(): EngineStatus;
  close(): Promise<void>;
}
