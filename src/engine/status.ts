/** What an engine is doing, and what it did. Plain data, cheap to ask for at any time. */
export interface EngineStatus {
  readonly running: number;
  readonly waiting: number;
  /** Starts of earlier sequences that can be continued. */
  readonly prefixes: number;
  /** Cache blocks that somebody holds, and those that there are, by group; kept prefixes hold blocks too. */
  readonly heldBlocks: readonly number[];
  readonly cacheBlocks: readonly number[];

  // All that follows counts from when the engine was made.

  readonly steps: number;
  /** How often a sequence lost its place, and had to run again. */
  readonly preemptions: number;
  /** Of requests that got a place: tokens of their prompts, and of those the ones that were in the cache. */
  readonly promptTokens: number;
  readonly cachedTokens: number;
  /** Tokens that ran through the model, those that ran again and refused guesses included. */
  readonly computedTokens: number;
  readonly outputTokens: number;
  /** Guessed tokens that were sampled indeed, and those that ran for nothing. */
  readonly acceptedGuesses: number;
  readonly refusedGuesses: number;
}

/** Of an engine that has done nothing. */
export const idleStatus: EngineStatus = {
  running: 0,
  waiting: 0,
  prefixes: 0,
  heldBlocks: [],
  cacheBlocks: [],
  steps: 0,
  preemptions: 0,
  promptTokens: 0,
  cachedTokens: 0,
  computedTokens: 0,
  outputTokens: 0,
  acceptedGuesses: 0,
  refusedGuesses: 0,
};
