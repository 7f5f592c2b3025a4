// How long to try: what fails for a moment is tried again, later and later, until it has failed often with nothing won
// in between. Knows no HTTP beyond what its errors carry.

import { setTimeout as sleep } from "node:timers/promises";

export interface Patience {
  /** How long a server may send nothing. */
  readonly stallMs: number;
  /** Before the second try; doubled before each one after it. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Tries without anything won. */
  readonly tries: number;
}

export const usualPatience: Patience = {
  stallMs: 30_000,
  firstPauseMs: 1000,
  longestPauseMs: 30_000,
  tries: 7,
};

/** A failure that may be over in a moment. `error` is what to throw when it is not. */
export class Transient extends Error {
  readonly error: Error;
  /** What the server asks for before the next try. */
  readonly pauseMs: number | undefined;

  constructor(error: Error, pauseMs?: number) {
    super(error.message);
    this.error = error;
    this.pauseMs = pauseMs;
  }
}

export interface RetryOptions {
  readonly patience: Patience;
  readonly signal: AbortSignal | undefined;
  /** For people: what failed, and when it is tried again. */
  readonly onTrouble: ((message: string) => void) | undefined;
  /** Grows with what was won; a try that won something starts the count anew. */
  readonly progress?: () => number;
}

/** A server that asks for more than this is not waited for. */
const longestAskedMs = 5 * 60_000;

/** Runs `work` until it succeeds, throws anything but `Transient`, or has failed too often. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { patience, signal, onTrouble, progress = () => 0 } = options;
  let failures = 0;
  while (true) {
    signal?.throwIfAborted();
    const before = progress();
    try {
      return await work();
    } catch (failure) {
      signal?.throwIfAborted();
      if (!(failure instanceof Transient)) throw failure;
      failures = progress() > before ? 1 : failures + 1;
      const asked = failure.pauseMs ?? 0;
      if (failures >= patience.tries || asked > longestAskedMs) throw failure.error;
      const backoff = Math.min(patience.firstPauseMs * 2 ** (failures - 1), patience.longestPauseMs);
      // Spread, so that files which failed together do not come back together.
      const pauseMs = Math.max(asked, backoff * (0.5 + Math.random() / 2));
      onTrouble?.(`${failure.message}; trying again in ${(pauseMs / 1000).toFixed(1)} s`);
      await sleep(pauseMs, undefined, { ...(signal && { signal }) }).catch(() => {}); // aborted: thrown above
    }
  }
}
