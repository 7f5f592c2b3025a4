// What guesses cost: how much longer a step takes for the rows that they add, learnt from the steps that ran. Knows
// milliseconds and rows.

export interface StepCosts {
  /** What steps cost without guesses is not known, or was last seen long ago: the next one should have none. */
  readonly isStale: boolean;
  /** A step of so many rows, `guessed` of them guesses, took so long. */
  observe(rows: number, guessed: number, milliseconds: number): void;
  /** Of a step with so many rows, as a multiple of what one row costs. */
  of(rows: number): number;
}

/** What each row after the first adds, as long as nothing better is known: little, so that it gets tried. */
const assumedShare = 0.1;
const learning = 0.15;
/** What was learnt fades to the assumption: one bad moment must not decide for good. */
const fading = 0.002;
/** The machine's pace changes faster than what rows cost. */
const paceLearning = 0.3;
/** A pause of the process says nothing about the step: no time counts for more than this many times the expected. */
const largestSurprise = 3;
/** Steps with guesses between two without. */
const maxAge = 64;

export function createStepCosts(): StepCosts {
  let share = assumedShare;
  /** Milliseconds that one row takes now. */
  let pace = 0;
  let age = 0;
  const costOf = (rows: number): number => 1 + share * (rows - 1);
  return {
    get isStale() {
      return pace === 0 || age >= maxAge;
    },
    observe(rows, guessed, milliseconds) {
      age = guessed === 0 ? 0 : age + 1;
      if (pace === 0) pace = milliseconds / costOf(rows);
      const cost = Math.min(milliseconds / pace, largestSurprise * costOf(rows));
      share += fading * (assumedShare - share);
      if (guessed === 0) pace *= 1 + paceLearning * (cost / costOf(rows) - 1);
      else share += learning * (Math.max(0, cost - 1) / (rows - 1) - share);
    },
    of: costOf,
  };
}
