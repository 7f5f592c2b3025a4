// How many tokens a step may have while somebody waits for its next one: as many as are computed in a moment, learnt from
// the steps that ran. Knows milliseconds and tokens.

export interface StepBudget {
  /** For a step in which prompts and answers share. */
  readonly tokens: number;
  /** A step of so many tokens took so long. */
  observe(tokens: number, milliseconds: number): void;
}

/** What a reader of a stream hardly notices. */
const moment = 250;
/** Of a whole step, at least: with fewer, weights are read again for too few tokens, and prompts crawl. */
const leastShare = 1 / 4;
const learning = 0.5;

export function createStepBudget(stepTokens: number, maxSequences: number): StepBudget {
  const least = Math.min(stepTokens, Math.max(2 * maxSequences, Math.floor(stepTokens * leastShare)));
  /** Milliseconds a token; unknown until a step with a prompt ran. */
  let pace = Number.POSITIVE_INFINITY;
  return {
    get tokens() {
      return Math.max(least, Math.min(stepTokens, Math.floor(moment / pace)));
    },
    observe(tokens, milliseconds) {
      if (tokens < least) return; // mostly answers, whose tokens cost more
      const seen = milliseconds / tokens;
      pace = Number.isFinite(pace) ? pace + learning * (seen - pace) : seen;
    },
  };
}
