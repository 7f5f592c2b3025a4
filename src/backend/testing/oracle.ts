// Each operation once more, as its formula is written on paper: in f64, one output at a time, with whole histories in
// place of blocks. It shares no code with any backend, the reference included.

import type { ExpertWeights, Table } from "./samples.ts";

const at = ({ cols, values }: Table, row: number, col: number): number => values[row * cols + col];

const build = (rows: number, cols: number, value: (row: number, col: number) => number): Table => {
  const values = new Float64Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) values[row * cols + col] = value(row, col);
  }
  return { rows, cols, values };
};

export function rmsNorm(x: Table, scale: Table, epsilon: number): Table {
  return build(x.rows, x.cols, (row, col) => {
    let squares = 0;
    for (let i = 0; i < x.cols; i++) squares += at(x, row, i) ** 2;
    return (at(x, row, col) / Math.sqrt(squares / x.cols + epsilon)) * at(scale, 0, col);
  });
}

export function linear(x: Table, weight: Table, bias?: Table): Table {
  return build(x.rows, weight.rows, (row, out) => {
    let sum = bias ? at(bias, 0, out) : 0;
    for (let i = 0; i < x.cols; i++) sum += at(x, row, i) * at(weight, out, i);
    return sum;
  });
}

/** `angles` `[T, headDim/2]` in radians; cos and sin are scaled by `factor`. */
export function rope(x: Table, headDim: number, angles: Table, factor: number): Table {
  const half = headDim / 2;
  return build(x.rows, x.cols, (row, col) => {
    const i = col % headDim;
    const angle = at(angles, row, i % half);
    const partner = i < half ? -at(x, row, col + half) : at(x, row, col - half);
    return factor * (at(x, row, col) * Math.cos(angle) + partner * Math.sin(angle));
  });
}

/** What a cache in 8 bits keeps of `[K·headDim]`; see `KvStorage`. */
export function int8(values: Float64Array, headDim: number): Float64Array {
  const kept = new Float64Array(values.length);
  for (let start = 0; start < values.length; start += headDim) {
    const head = values.subarray(start, start + headDim);
    const scale = Math.fround(Math.max(...head.map(Math.abs)) / 127);
    const nearest = (quotient: number): number => {
      const down = Math.floor(quotient);
      const isUp = quotient - down > 0.5 || (quotient - down === 0.5 && down % 2 !== 0);
      return isUp ? down + 1 : down;
    };
    kept.set(
      head.map((value) => nearest(Math.fround(value / scale)) * scale),
      start,
    );
  }
  return kept;
}

/** One token's attention: `query` `[H·headDim]`; the rows of `keys` and `values` are exactly what it may see. */
export function attend(
  query: Float64Array,
  keys: readonly Float64Array[],
  values: readonly Float64Array[],
  { sinks, headDim }: { readonly sinks: Table; readonly headDim: number },
): Float64Array {
  const heads = sinks.cols;
  const shared = heads / (keys[0].length / headDim);
  const out = new Float64Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const start = Math.floor(head / shared) * headDim;
    const logits = keys.map((key) => {
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += query[head * headDim + i] * key[start + i];
      return dot / Math.sqrt(headDim);
    });
    const max = logits.reduce((a, b) => Math.max(a, b), at(sinks, 0, head));
    const powers = logits.map((logit) => Math.exp(logit - max));
    const total = powers.reduce((a, b) => a + b, Math.exp(at(sinks, 0, head) - max));
    for (let i = 0; i < headDim; i++) {
      out[head * headDim + i] = powers.reduce(
        (sum, power, j) => sum + (power / total) * values[j][start + i],
        0,
      );
    }
  }
  return out;
}

export interface Route {
  readonly chosen: readonly number[];
  /** Of the chosen experts; their sum is 1. */
  readonly weights: readonly number[];
  /** How much the last chosen expert's logit exceeds the first one not chosen; Infinity when all are chosen. */
  readonly margin: number;
}

/** By row. */
export function route(x: Table, router: Table, bias: Table, expertsPerToken: number): Route[] {
  const logits = linear(x, router, bias);
  const experts = router.rows;
  return Array.from({ length: x.rows }, (_, row) => {
    const logit = (expert: number): number => at(logits, row, expert);
    const order = Array.from({ length: experts }, (_, i) => i).sort((a, b) => logit(b) - logit(a) || a - b);
    const chosen = order.slice(0, expertsPerToken);
    const powers = chosen.map((expert) => Math.exp(logit(expert) - logit(chosen[0])));
    const total = powers.reduce((a, b) => a + b);
    const margin =
      experts > chosen.length ? logit(chosen[chosen.length - 1]) - logit(order[chosen.length]) : Infinity;
    return { chosen, weights: powers.map((power) => power / total), margin };
  });
}

export interface MoeOracle {
  readonly output: Table;
  /** Share of gate and linear values beyond the limit. */
  readonly clamped: number;
}

export function moe(
  x: Table,
  routes: readonly Route[],
  { hidden, intermediate, gateUp, gateUpBias, down, downBias }: ExpertWeights,
  limit: number,
): MoeOracle {
  const output = build(x.rows, hidden, () => 0);
  let clamped = 0;
  let pairs = 0;
  for (const [row, { chosen, weights }] of routes.entries()) {
    for (const [choice, expert] of chosen.entries()) {
      const up = (j: number): number => {
        let sum = at(gateUpBias, expert, j);
        const start = (expert * 2 * intermediate + j) * hidden;
        for (let i = 0; i < hidden; i++) sum += x.values[row * hidden + i] * gateUp(start + i);
        return sum;
      };
      const inner = new Float64Array(intermediate);
      for (let j = 0; j < intermediate; j++, pairs++) {
        const [anyGate, anyLinear] = [up(2 * j), up(2 * j + 1)];
        const gate = Math.min(anyGate, limit);
        const linear = Math.min(Math.max(anyLinear, -limit), limit);
        if (gate !== anyGate || linear !== anyLinear) clamped++;
        inner[j] = gate * (1 / (1 + Math.exp(-1.702 * gate))) * (linear + 1);
      }
      for (let i = 0; i < hidden; i++) {
        let sum = at(downBias, expert, i);
        const start = (expert * hidden + i) * intermediate;
        for (let j = 0; j < intermediate; j++) sum += inner[j] * down(start + j);
        output.values[row * hidden + i] += weights[choice] * sum;
      }
    }
  }
  return { output, clamped: clamped / pairs };
}

/** The largest difference in a row, relative to the row's largest value; of all rows the worst. NaN counts as Infinity. */
export function relativeError(got: Float32Array, want: Table): number {
  let worst = got.length === want.values.length ? 0 : Infinity;
  for (let start = 0; start < want.values.length; start += want.cols) {
    let largest = 0;
    let difference = 0;
    for (let i = start; i < start + want.cols; i++) {
      largest = Math.max(largest, Math.abs(want.values[i]));
      difference = Math.max(difference, Math.abs(got[i] - want.values[i]));
    }
    const error = difference === 0 ? 0 : difference / largest;
    worst = Number.isNaN(error) ? Infinity : Math.max(worst, error);
  }
  return worst;
}
