// Edits of the logits that depend on what the sequence holds so far. Each knows one rule; the sampler runs them in the
// order of the list. A grammar's token mask is one more of these.

export interface LogitsProcessor {
  /** Edits `logits` `[V]` in place; -Infinity forbids a token. */
  apply(logits: Float32Array): void;
  /** The token that was chosen. */
  accept(token: number): void;
}

/** Adds to single logits, before anything else: platform.openai.com/docs/api-reference, `logit_bias`. */
export function logitBias(bias: ReadonlyMap<number, number>): LogitsProcessor {
  return {
    apply(logits) {
      for (const [token, value] of bias) logits[token] += value;
    },
    accept() {},
  };
}

/**
 * Pushes every token of the prompt and the output away from being chosen again: positive logits are divided by
 * `penalty`, negative ones multiplied (transformers, generation/logits_process.py RepetitionPenaltyLogitsProcessor).
 */
export function repetitionPenalty(penalty: number, prompt: readonly number[]): LogitsProcessor {
  const seen = new Set(prompt);
  return {
    apply(logits) {
      for (const token of seen) {
        const logit = logits[token];
        logits[token] = logit > 0 ? logit / penalty : logit * penalty;
      }
    },
    accept(token) {
      seen.add(token);
    },
  };
}

/**
 * `logit - count · frequency - (count > 0) · presence`, where `count` is over sampled tokens only, not the prompt's
 * (platform.openai.com/docs/guides/text-generation, "frequency and presence penalties").
 */
export function outputPenalties(frequency: number, presence: number): LogitsProcessor {
  const counts = new Map<number, number>();
  return {
    apply(logits) {
      for (const [token, count] of counts) logits[token] -= count * frequency + presence;
    },
    accept(token) {
      counts.set(token, (counts.get(token) ?? 0) + 1);
    },
  };
}
