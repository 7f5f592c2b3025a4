// One row of logits `[V]`: scanned once for the largest logit of every run of tokens, by which everything after skips
// the parts of the vocabulary that do not matter; then weighed and drawn from. Knows numbers, never options.

import { assert, GptOssError } from "../../base/index.ts";
import { expNegative } from "./exp.ts";

const runTokens = 128;
/** A sort key holds a logit's 32 bits and a token id in the 53 bits of a float64. */
const idRange = 2 ** 21;

const f32 = new Float32Array(1);
const u32 = new Uint32Array(f32.buffer);

/** Working memory for rows of one vocabulary; holds nothing between rows. */
export interface Scratch {
  /** `[V]`, for whoever wants to edit logits. */
  readonly edited: Float32Array;
  readonly maxima: Float32Array;
  readonly sums: Float64Array;
  readonly keys: Float64Array;
}

export function createScratch(vocabularySize: number): Scratch {
  assert(vocabularySize <= idRange, `a vocabulary of ${vocabularySize} does not fit sort keys of ${idRange}`);
  const runs = Math.ceil(vocabularySize / runTokens);
  return {
    edited: new Float32Array(vocabularySize),
    maxima: new Float32Array(runs),
    sums: new Float64Array(runs),
    keys: new Float64Array(vocabularySize),
  };
}

export interface Row {
  readonly logits: Float32Array;
  readonly max: number;
  /** Where `max` is; the lowest id on ties. */
  readonly argmax: number;
  readonly scratch: Scratch;
}

/** Tokens in order of likelihood down to and including this one: by logit, and by lower id where logits are equal. */
export interface Cut {
  readonly logit: number;
  readonly token: number;
}

/** Keeps every token that is possible at all; -Infinity is forbidden, not unlikely. */
export const keepAll: Cut = { logit: -3.4028234663852886e38, token: idRange };

export function isKept(cut: Cut, logit: number, token: number): boolean {
  return logit > cut.logit || (logit === cut.logit && token <= cut.token);
}

/** The one that keeps fewer tokens. */
export function higher(a: Cut, b: Cut): Cut {
  return isKept(a, b.logit, b.token) ? b : a;
}

/** Refuses NaN, +infinity and a row with nothing to choose with `engine/bad-logits`. */
export function scanRow(logits: Float32Array, scratch: Scratch): Row {
  const { maxima } = scratch;
  let max = Number.NEGATIVE_INFINITY;
  let maxRun = 0;
  for (let run = 0, token = 0; run < maxima.length; run++) {
    let runMax = Number.NEGATIVE_INFINITY;
    for (const end = Math.min(token + runTokens, logits.length); token < end; token++) {
      const logit = logits[token];
      if (!(logit <= runMax)) {
        if (Number.isNaN(logit)) throw badLogits(`token ${token} has logit NaN`);
        runMax = logit;
      }
    }
    maxima[run] = runMax;
    if (runMax > max) {
      max = runMax;
      maxRun = run;
    }
  }
  if (!Number.isFinite(max)) throw badLogits(`the largest logit is ${max}`);
  return { logits, max, argmax: logits.indexOf(max, maxRun * runTokens), scratch };
}

/** `Σ e^((logit - max) · sharpness)` over the tokens that `cut` keeps; also kept by run, for `draw`. */
export function weigh({ logits, max, scratch }: Row, cut: Cut, sharpness: number): number {
  const { maxima, sums } = scratch;
  const { logit: lowest, token: lastTie } = cut; // `isKept`, spelled out: this loop is most of what sampling costs
  let total = 0;
  for (let run = 0; run < sums.length; run++) {
    let sum = 0;
    if (maxima[run] >= lowest) {
      const end = Math.min((run + 1) * runTokens, logits.length);
      for (let token = run * runTokens; token < end; token++) {
        const logit = logits[token];
        if (logit < lowest || (logit === lowest && token > lastTie)) continue;
        sum += expNegative((max - logit) * sharpness);
      }
    }
    sums[run] = sum;
    total += sum;
  }
  return total;
}

/** The token at which the running sum of weights, in order of id, passes `target` (below the total of `weigh`). */
export function draw(
  { logits, max, argmax, scratch }: Row,
  cut: Cut,
  sharpness: number,
  target: number,
): number {
  const { sums } = scratch;
  let run = 0;
  let rest = target;
  while (run < sums.length - 1 && rest >= sums[run]) rest -= sums[run++];
  let last = argmax; // where rounding leaves a rest, it belongs to the last token that can be chosen
  const end = Math.min((run + 1) * runTokens, logits.length);
  for (let token = run * runTokens; token < end; token++) {
    const weight = isKept(cut, logits[token], token) ? expNegative((max - logits[token]) * sharpness) : 0;
    if (weight === 0) continue;
    last = token;
    if (rest < weight) return token;
    rest -= weight;
  }
  return last;
}

/**
 * Tokens with logits in `[low, high]`, likeliest first; `undefined` when there are more than `limit`.
 * Sorting is native and without a comparator: 0.3 ms for 4,096 tokens.
 */
export function sortBand(
  { logits, scratch }: Row,
  low: number,
  high: number,
  limit: number,
): number[] | undefined {
  const { maxima, keys } = scratch;
  let found = 0;
  for (let run = 0; run < maxima.length; run++) {
    if (maxima[run] < low) continue;
    const end = Math.min((run + 1) * runTokens, logits.length);
    for (let token = run * runTokens; token < end; token++) {
      const logit = logits[token];
      if (logit >= low && logit <= high) keys[found++] = sortKey(logit, token);
    }
    if (found > limit) return undefined;
  }
  const sorted = keys.subarray(0, found).sort().reverse();
  return Array.from(sorted, (key) => idRange - 1 - (key % idRange));
}

/** Orders by logit, then by descending id. */
function sortKey(logit: number, token: number): number {
  f32[0] = logit + 0; // -0 and 0 are one logit
  const bits = u32[0];
  const ordered = bits & 0x80000000 ? ~bits >>> 0 : (bits | 0x80000000) >>> 0;
  return ordered * idRange + (idRange - 1 - token);
}

function badLogits(what: string): GptOssError {
  return new GptOssError("engine/bad-logits", {
    message: `the model gave no distribution to sample from: ${what}`,
    hint: "the weights are damaged, or this backend computes wrongly here; try the reference backend",
  });
}
