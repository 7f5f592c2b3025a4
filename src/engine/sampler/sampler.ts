// From logits to a token, in this order:
//   1. processors: logit bias, the penalties, then the mask of a grammar. They act on what the model gives; bias first as
//      OpenAI documents it, penalties in vLLM's order (vllm/model_executor/layers/utils.py apply_penalties).
//   2. temperature, so that the cuts below see the distribution that is sampled.
//   3. top-k, then top-p of what top-k left, then min-p against the likeliest: the order of transformers
//      (generation/utils.py _get_logits_processor). Each keeps the likeliest tokens down to some place, so that
//      together they are one cut.
//   4. the draw, with numbers that belong to the request alone: whatever else runs beside it cannot change its tokens.
// Log-probabilities are of the model's own distribution, before all of this.

import type { Random } from "../../base/index.ts";
import type { TokenLogprob } from "../engine.ts";
import { cutAtCount, cutAtMass, likeliest } from "./cut.ts";
import { expNegative } from "./exp.ts";
import type { LogitsProcessor } from "./processors.ts";
import { type Cut, draw, higher, isKept, keepAll, type Row, type Scratch, scanRow, weigh } from "./row.ts";

/** What is done to every distribution of one request; fields are in range (request.ts sees to it). */
export interface SamplingRule {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Infinity keeps all. */
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
  readonly processors: readonly LogitsProcessor[];
  /** How many likeliest tokens to report; `undefined`: no log-probabilities. */
  readonly topLogprobs: number | undefined;
}

export interface Sampled {
  readonly token: number;
  readonly logprob?: number;
  readonly top?: readonly TokenLogprob[];
}

export interface SampleOptions {
  readonly random: Random;
  readonly scratch: Scratch;
}

/** `logits` `[V]` are left as they are. Throws `engine/bad-logits` where they are no distribution. */
export function sample(
  logits: Float32Array,
  rule: SamplingRule,
  { random, scratch }: SampleOptions,
): Sampled {
  const row = scanRow(edited(logits, rule.processors, scratch), scratch);
  const token = rule.temperature === 0 ? row.argmax : drawToken(row, rule, random);
  for (const processor of rule.processors) processor.accept(token);
  if (rule.topLogprobs === undefined) return { token };
  const unedited = row.logits === logits ? row : scanRow(logits, scratch);
  return { token, ...logprobs(unedited, token, rule.topLogprobs) };
}

function edited(
  logits: Float32Array,
  processors: readonly LogitsProcessor[],
  scratch: Scratch,
): Float32Array {
  if (processors.length === 0) return logits;
  scratch.edited.set(logits);
  for (const processor of processors) processor.apply(scratch.edited);
  return scratch.edited;
}

/** Logits so far below the largest (in units of the temperature) are weighed only when the lot falls on them. */
const tailDepth = 8;

/**
 * Draws exactly from what `rule` keeps, without weighing the nearly impossible tokens, which are nearly all: each of
 * these is given more than its weight, and when one is drawn that share is accepted or the draw repeated.
 */
function drawToken(row: Row, rule: SamplingRule, random: Random): number {
  const { logits, max } = row;
  const sharpness = Math.min(1 / rule.temperature, 1e30); // finite: the likeliest would weigh 0 · infinity
  const cut = findCut(row, rule, sharpness);
  const head = higher(cut, { ...keepAll, logit: max - tailDepth / sharpness });
  const headWeight = weigh(row, head, sharpness);
  const tailShare = head === cut ? 0 : Math.exp(-tailDepth);
  for (;;) {
    const target = random.float() * (headWeight + tailShare * logits.length);
    if (target < headWeight) return draw(row, head, sharpness, target);
    const token = Math.floor(random.float() * logits.length);
    const isTail = isKept(cut, logits[token], token) && !isKept(head, logits[token], token);
    if (isTail && random.float() * tailShare < expNegative((max - logits[token]) * sharpness)) return token;
  }
}

/** How far down the likeliest tokens are kept; the likeliest always is. */
export function findCut(row: Row, { topK, topP, minP }: SamplingRule, sharpness: number): Cut {
  let cut = keepAll;
  if (topK < row.logits.length) cut = cutAtCount(row, topK);
  if (topP < 1) cut = cutAtMass(row, topP * weigh(row, cut, sharpness), { sharpness, within: cut });
  return higher(cut, { ...keepAll, logit: row.max + Math.log(minP) / sharpness });
}

function logprobs(row: Row, token: number, count: number) {
  const logTotal = row.max + Math.log(weigh(row, keepAll, 1));
  const logprobOf = (id: number): number => row.logits[id] - logTotal;
  return {
    logprob: logprobOf(token),
    top: likeliest(row, count).map((id) => ({ token: id, logprob: logprobOf(id) })),
  };
}
