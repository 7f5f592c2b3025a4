// One layer's mixture of experts, grouped by expert so that each expert's weights are decoded once for all the tokens
// that chose it. A token's outputs are summed in the order of expert ids, whoever stands beside it in the batch.

import type { Experts } from "../backend.ts";
import type { Dense } from "./dense.ts";
import { addBias, linear } from "./linear.ts";
import { multiply } from "./multiply.ts";
import type { StoredExperts } from "./mxfp4.ts";
import { decodeRow } from "./row-source.ts";

export interface MoeParameters {
  readonly router: Dense;
  readonly routerBias: Dense;
  readonly stored: StoredExperts;
  readonly shape: Experts;
  readonly expertsPerToken: number;
  readonly swigluLimit: number;
}

/** gpt_oss/torch/model.py `swiglu` */
const swigluAlpha = 1.702;

/** `x` `[T, D]` → `[T, D]` */
export function moe(x: Float32Array, parameters: MoeParameters): Float32Array {
  const { stored, shape, swigluLimit } = parameters;
  const { hidden } = shape;
  const sum = new Float64Array(x.length);
  for (const [expert, chosen] of route(x, parameters).entries()) {
    const count = chosen.length;
    if (count === 0) continue;
    const inputs = new Float64Array(count * hidden);
    for (const [i, { token }] of chosen.entries()) {
      inputs.set(x.subarray(token * hidden, (token + 1) * hidden), i * hidden);
    }
    const gateUp = multiply(inputs, stored.gateUp(expert));
    addBias(gateUp, decodeRow(stored.gateUpBias, expert));
    const down = multiply(swiglu(gateUp, swigluLimit), stored.down(expert));
    addBias(down, decodeRow(stored.downBias, expert));
    for (const [i, { token, weight }] of chosen.entries()) {
      for (let j = 0; j < hidden; j++) sum[token * hidden + j] += weight * down[i * hidden + j];
    }
  }
  return new Float32Array(sum);
}

interface Chosen {
  readonly token: number;
  readonly weight: number;
}

/** By expert: the tokens that chose it, with its weight: a softmax over the chosen logits only. */
function route(x: Float32Array, { router, routerBias, shape, expertsPerToken }: MoeParameters): Chosen[][] {
  const { experts } = shape;
  const logits = linear(x, router, routerBias);
  const byExpert = Array.from({ length: experts }, (): Chosen[] => []);
  for (let token = 0; token * experts < logits.length; token++) {
    const row = logits.subarray(token * experts, (token + 1) * experts);
    const top = topExperts(row, expertsPerToken);
    const powers = top.map((expert) => Math.exp(row[expert] - row[top[0]]));
    const total = powers.reduce((a, b) => a + b);
    for (const [i, expert] of top.entries()) byExpert[expert].push({ token, weight: powers[i] / total });
  }
  return byExpert;
}

/** Indices of the largest logits, largest first; of equals the lower index wins. NaN never wins over a number. */
function topExperts(logits: Float32Array, count: number): number[] {
  const top: number[] = [];
  for (let n = 0; n < count; n++) {
    let best = -1;
    for (let expert = 0; expert < logits.length; expert++) {
      if (top.includes(expert)) continue;
      if (best < 0 || logits[expert] > logits[best] || Number.isNaN(logits[best])) best = expert;
    }
    top.push(best);
  }
  return top;
}

/** `gateUp` `[T, 2·I]`, gate and linear alternating → `[T, I]` */
function swiglu(gateUp: Float64Array, limit: number): Float64Array {
  const out = new Float64Array(gateUp.length / 2);
  for (let i = 0; i < out.length; i++) {
    const gate = Math.min(gateUp[2 * i], limit);
    const linear = Math.max(-limit, Math.min(gateUp[2 * i + 1], limit));
    out[i] = (gate / (1 + Math.exp(-swigluAlpha * gate))) * (linear + 1);
  }
  return out;
}
