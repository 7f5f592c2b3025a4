// How many tokens to guess for whom. A guess costs a row of the step and gives a token if it is sampled indeed, so it
// pays where rows are cheap and guesses are good. Both are learnt: what rows cost, by the clock, for the engine; how
// good guesses are, for each sequence. Where it does not pay, nothing is guessed. Never decides what is sampled: that
// happens row by row, and guesses only make rows be there earlier.

import { createLookup, type Lookup } from "./lookup.ts";
import { createStepCosts } from "./step-costs.ts";

export interface Speculator {
  /** For each sequence, tokens that may come after its own; a step of `sequences.length` rows is what runs anyway. */
  guess(sequences: readonly Guessing[]): number[][];
  /** A step of so many rows, `guessed` of them guesses and none of a prompt, took so long. */
  observe(rows: number, guessed: number, milliseconds: number): void;
}

/** What the speculator sees of a sequence. */
export interface Guessing {
  readonly tokens: readonly number[];
  /** Most that may still join it, the one that is sampled anyway not counted. */
  readonly guessable: number;
  readonly guesser: Guesser;
}

/** What is known about guessing for one sequence. */
export interface Guesser {
  readonly lookup: Lookup;
  /** The chance that a guess is sampled, given that those before it were. */
  readonly trust: number;
  /** So many guesses were made, and so many of them were sampled, one after the other. */
  learn(guessed: number, accepted: number): void;
  /** There was something to guess, and it was not tried. */
  rest(): void;
}

const firstTrust = 0.5;
const learning = 0.15;
/** Texts change: what was not worth a guess is tried again some day. */
const recovery = 0.002;

export function createGuesser(maxTokens: number): Guesser {
  let trust = firstTrust;
  let lookup: Lookup | undefined;
  return {
    get lookup() {
      lookup ??= createLookup(maxTokens); // not before somebody guesses: it takes memory
      return lookup;
    },
    get trust() {
      return trust;
    },
    learn(guessed, accepted) {
      for (let i = 0; i < accepted; i++) trust += learning * (1 - trust);
      if (accepted < guessed) trust -= learning * trust;
    },
    rest() {
      if (trust < firstTrust) trust += recovery * (firstTrust - trust);
    },
  };
}

/** A step is never given guesses for less gain than this: clocks are not that exact. */
const leastGain = 1.02;

export function createSpeculator(maxRows: number): Speculator {
  const costs = createStepCosts();

  /** How many of the guesses, best first, make for the most tokens per time. */
  function worthwhile(chances: readonly number[], rows: number): number {
    if (costs.isStale) return 0;
    let best = 0;
    let bestRate = (rows / costs.of(rows)) * leastGain;
    let expected = rows;
    for (const [index, chance] of chances.entries()) {
      expected += chance;
      const rate = expected / costs.of(rows + index + 1);
      if (rate > bestRate) [best, bestRate] = [index + 1, rate];
    }
    return best;
  }

  return {
    guess(sequences) {
      const room = maxRows - sequences.length;
      const guesses = sequences.map(({ tokens, guessable, guesser }) =>
        room > 0 && guessable > 0 ? guesser.lookup.guess(tokens, Math.min(room, guessable)) : [],
      );
      const bids = guesses
        .flatMap((tokens, index) =>
          tokens.map((_, place) => ({ index, chance: sequences[index].guesser.trust ** (place + 1) })),
        )
        .sort((a, b) => b.chance - a.chance)
        .slice(0, Math.max(0, room));
      const count = worthwhile(
        bids.map(({ chance }) => chance),
        sequences.length,
      );
      const taken = sequences.map(() => 0);
      for (const { index } of bids.slice(0, count)) taken[index]++;
      for (const [index, { guesser }] of sequences.entries())
        if (taken[index] === 0 && guesses[index].length > 0) guesser.rest();
      return guesses.map((tokens, index) => tokens.slice(0, taken[index]));
    },
    observe(rows, guessed, milliseconds) {
      if (rows <= maxRows) costs.observe(rows, guessed, milliseconds);
    },
  };
}
