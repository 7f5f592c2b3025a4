// Where the tokens in order of likelihood reach a given weight: the one question behind top-k (every token weighs 1),
// top-p (every token weighs its probability) and lists of the likeliest. Never sorts more than a few thousand tokens,
// so that a flat distribution costs no more than a peaked one.

import { expNegative } from "./exp.ts";
import { type Cut, keepAll, type Row, sortBand } from "./row.ts";

const maxSorted = 4096;
const bins = 1024;

/** Logits from `high` down to `low`, and the weight of all tokens above them. */
interface Band {
  readonly low: number;
  readonly high: number;
  readonly above: number;
}

/** The likeliest `count` tokens, likeliest first, lower ids first where logits are equal. */
export function likeliest(row: Row, count: number): number[] {
  const { logit } = cutAtCount(row, count);
  return (sortBand(row, logit, Number.POSITIVE_INFINITY, row.logits.length) ?? []).slice(0, count);
}

/** Keeps the likeliest `count` tokens. */
export function cutAtCount(row: Row, count: number): Cut {
  const { maxima } = row.scratch;
  // So many runs have a logit at least this large that so many tokens do.
  const guess = count <= maxima.length ? maxima.toSorted()[maxima.length - count] : keepAll.logit;
  return cutAt(row, { amount: count, sharpness: 0, guess, within: keepAll });
}

/** Keeps the shortest list of likeliest tokens that weighs `mass`, where `within` weighs at least that. */
export function cutAtMass(
  row: Row,
  mass: number,
  { sharpness, within }: { sharpness: number; within: Cut },
): Cut {
  return cutAt(row, { amount: mass, sharpness, guess: row.max - 4 / sharpness, within }); // far enough, nearly always
}

interface Target {
  readonly amount: number;
  /** Weights are e^((logit - max) · sharpness): at 0 every token weighs 1. */
  readonly sharpness: number;
  /** A logit that the cut is probably above. */
  readonly guess: number;
  readonly within: Cut;
}

function cutAt(row: Row, target: Target): Cut {
  const { guess, within } = target;
  const guessed = cutInBand(row, { low: Math.max(guess, within.logit), high: row.max, above: 0 }, target);
  if (guessed !== undefined) return guessed;
  let band: Band = { low: Math.max(lowestLogit(row), within.logit), high: row.max, above: 0 };
  for (;;) {
    const cut = cutInBand(row, band, target);
    if (cut !== undefined) return cut;
    const narrower = narrow(row, band, target);
    if (narrower.low === band.low && narrower.high === band.high) return within; // short of the amount by rounding
    band = narrower;
  }
}

/** Where the running sum of weights reaches the amount, if it does, and if there are few enough tokens to sort. */
function cutInBand(row: Row, band: Band, { amount, sharpness }: Target): Cut | undefined {
  const isOneLogit = band.low === band.high; // and cannot be told apart further
  const tokens = sortBand(row, band.low, band.high, isOneLogit ? row.logits.length : maxSorted);
  let sum = band.above;
  for (const token of tokens ?? []) {
    sum += expNegative((row.max - row.logits[token]) * sharpness);
    if (sum >= amount) return { logit: row.logits[token], token };
  }
  return undefined;
}

/** The part of `band`, a bin of its histogram, in which the amount is reached. */
function narrow({ logits, max }: Row, band: Band, { amount, sharpness }: Target): Band {
  const scale = bins / (band.high - band.low);
  const binOf = (logit: number): number => Math.min(((band.high - logit) * scale) | 0, bins - 1);
  const weights = new Float64Array(bins);
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token];
    if (logit >= band.low && logit <= band.high)
      weights[binOf(logit)] += expNegative((max - logit) * sharpness);
  }
  let bin = 0;
  let above = band.above;
  while (bin < bins - 1 && above + weights[bin] < amount) above += weights[bin++];
  // The bin's own ends, not its computed edges: a token that rounds across an edge would be lost or counted twice.
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token];
    if (!(logit >= band.low && logit <= band.high) || binOf(logit) !== bin) continue;
    low = Math.min(low, logit);
    high = Math.max(high, logit);
  }
  return { low, high, above };
}

function lowestLogit({ logits, max }: Row): number {
  let lowest = max;
  for (let token = 0; token < logits.length; token++) {
    const logit = logits[token];
    if (logit < lowest && logit >= keepAll.logit) lowest = logit;
  }
  return lowest;
}
