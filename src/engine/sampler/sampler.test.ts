import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Random, random } from "../../base/index.ts";
import { likeliest } from "./cut.ts";
import { expNegative } from "./exp.ts";
import { logitBias, outputPenalties, repetitionPenalty } from "./processors.ts";
import { createScratch, isKept, scanRow } from "./row.ts";
import { findCut, type SamplingRule, sample } from "./sampler.ts";

const neutral: SamplingRule = {
  temperature: 1,
  topK: Number.POSITIVE_INFINITY,
  topP: 1,
  minP: 0,
  processors: [],
  topLogprobs: undefined,
};

const fixedSeed = { seed: 20261120, numRuns: 300 };

/** Small vocabularies with many ties, forbidden tokens, and values as large as logits get. */
const logitRows = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: -40, max: 40 }).map((n) => n / 4) },
      { weight: 2, arbitrary: fc.float({ min: -50, max: 50, noNaN: true }) },
      { weight: 1, arbitrary: fc.constantFrom(Number.NEGATIVE_INFINITY, -0, 0) },
    ),
    { minLength: 1, maxLength: 700 },
  )
  .filter((row) => row.some(Number.isFinite))
  .map((row) => Float32Array.from(row));

function sampleOnce(logits: Float32Array, rule: Partial<SamplingRule>, source: Random = random(1)) {
  return sample(logits, { ...neutral, ...rule }, { random: source, scratch: createScratch(logits.length) });
}

/** Ids sorted by logit, ties by id, forbidden ones left out: what everything below is compared with. */
function sortedIds(logits: Float32Array): number[] {
  return [...logits.keys()]
    .filter((id) => logits[id] > Number.NEGATIVE_INFINITY)
    .sort((a, b) => logits[b] - logits[a] || a - b);
}

/** The kept tokens, by the definitions and nothing else. */
function naiveKept(logits: Float32Array, { temperature, topK, topP, minP }: SamplingRule): number[] {
  const max = Math.max(...logits);
  const weight = (id: number): number => Math.exp((logits[id] - max) / temperature);
  const top = sortedIds(logits).slice(0, topK);
  const total = top.reduce((sum, id) => sum + weight(id), 0);
  let mass = 0;
  const nucleus = top.filter((_, rank) => {
    const isNeeded = topP >= 1 || mass < topP * total;
    mass += weight(top[rank]);
    return isNeeded;
  });
  return nucleus.filter((id) => logits[id] - max >= temperature * Math.log(minP));
}

describe("exponential", () => {
  test("is within 1e-9 of the true value wherever a probability could matter", () => {
    let worst = 0;
    for (let d = 0; d < 64; d += 0.00137)
      worst = Math.max(worst, Math.abs(expNegative(d) / Math.exp(-d) - 1));
    expect(worst).toBeLessThan(1e-9); // cubic term of the series at ln 2 / 512: 4.1e-10
    expect([expNegative(0), expNegative(64), expNegative(Number.POSITIVE_INFINITY)]).toEqual([1, 0, 0]);
  });
});

describe("greedy", () => {
  test("takes the largest logit, the lowest id on ties", () => {
    fc.assert(
      fc.property(logitRows, (logits) => {
        expect(sampleOnce(logits, { temperature: 0 }).token).toBe(sortedIds(logits)[0]);
      }),
      fixedSeed,
    );
  });

  test("leaves the caller's logits alone", () => {
    const logits = Float32Array.of(1, 2, 3);
    sampleOnce(logits, { processors: [logitBias(new Map([[0, 100]]))] });
    expect([...logits]).toEqual([1, 2, 3]);
  });
});

describe("filters", () => {
  const rules = fc.record({
    temperature: fc.constantFrom(0.1, 0.7, 1, 1.7, 20),
    topK: fc.constantFrom(1, 2, 5, 40, 300, Number.POSITIVE_INFINITY),
    // Never on an exact boundary of equal logits, where the last bit of a sum decides.
    topP: fc.constantFrom(1, 1e-9, 0.1234567, 0.5000001, 0.9012345, 0.9999917),
    minP: fc.constantFrom(0, 0.0512345, 0.7654321, 1),
  });

  test("keep what their definitions keep", () => {
    fc.assert(
      fc.property(logitRows, rules, (logits, filters) => {
        const rule = { ...neutral, ...filters };
        const cut = findCut(scanRow(logits, createScratch(logits.length)), rule, 1 / rule.temperature);
        const kept = sortedIds(logits).filter((id) => isKept(cut, logits[id], id));
        expect(kept).toEqual(naiveKept(logits, rule));
      }),
      { ...fixedSeed, numRuns: 1000 },
    );
  });

  test("keep what their definitions keep in vocabularies too large to sort", () => {
    const source = random(5);
    for (const spread of [0, 0.01, 0.5, 3]) {
      const logits = Float32Array.from({ length: 20_000 }, () => spread * source.normal());
      for (const topK of [3, 170, 5000, 19_999, Number.POSITIVE_INFINITY]) {
        for (const topP of [0.0100017, 0.7000019, 0.9500013, 1]) {
          const rule = { ...neutral, topK, topP, temperature: 1.3 };
          const cut = findCut(scanRow(logits, createScratch(logits.length)), rule, 1 / rule.temperature);
          const kept = [...logits.keys()].filter((id) => isKept(cut, logits[id], id)).length;
          // At rank n the two sums differ by rounding only, so by one token at most.
          expect(Math.abs(kept - naiveKept(logits, rule).length)).toBeLessThanOrEqual(1);
        }
      }
    }
  });

  test("list the likeliest in order", () => {
    fc.assert(
      fc.property(logitRows, fc.integer({ min: 0, max: 800 }), (logits, count) => {
        const row = scanRow(logits, createScratch(logits.length));
        expect(likeliest(row, count)).toEqual(sortedIds(logits).slice(0, count));
      }),
      fixedSeed,
    );
  });
});

describe("draws", () => {
  /** Σ (observed - expected)² / expected over tokens that are expected at least 5 times, the rest as one. */
  function chiSquare(counts: readonly number[], probabilities: readonly number[], draws: number) {
    let [sum, cells, restCount, restExpected] = [0, 0, 0, 0];
    for (const [token, probability] of probabilities.entries()) {
      const expected = probability * draws;
      if (expected >= 5) {
        sum += (counts[token] - expected) ** 2 / expected;
        cells++;
      } else {
        restCount += counts[token];
        restExpected += expected;
      }
    }
    if (restExpected >= 5) {
      sum += (restCount - restExpected) ** 2 / restExpected;
      cells++;
    } else if (restExpected === 0) expect(restCount).toBe(0);
    return { sum, degrees: cells - 1 };
  }

  const cases: readonly (readonly [string, Partial<SamplingRule>])[] = [
    ["neutral options", {}],
    ["a high temperature", { temperature: 2.5 }],
    ["a low temperature", { temperature: 0.3 }],
    ["top-k", { topK: 7 }],
    ["top-p", { topP: 0.8 }],
    ["min-p", { minP: 0.1 }],
    ["all of them", { temperature: 1.5, topK: 50, topP: 0.9, minP: 0.02 }],
  ];
  // Peaked: most tokens lie in the tail that is drawn by rejection, and weigh enough together to be noticed.
  const peaked = Float32Array.from({ length: 1000 }, (_, id) => (id < 8 ? 8 - id / 2 : -1 - (id % 13) / 4));
  const flat = Float32Array.from({ length: 60 }, (_, id) => Math.sin(id));

  for (const [name, filters] of cases) {
    for (const [shape, logits] of Object.entries({ peaked, flat })) {
      test(`follow the distribution: ${name}, ${shape}`, () => {
        const rule = { ...neutral, ...filters };
        const kept = naiveKept(logits, rule);
        const weights = kept.map((id) => Math.exp(logits[id] / rule.temperature));
        const total = weights.reduce((a, b) => a + b);
        const probabilities = Array.from(logits, () => 0);
        for (const [i, id] of kept.entries()) probabilities[id] = weights[i] / total;

        const draws = 6_000;
        const counts = Array.from(logits, () => 0);
        const options = { random: random(7), scratch: createScratch(logits.length) };
        for (let i = 0; i < draws; i++) counts[sample(logits, rule, options).token]++;

        expect(counts.filter((count, id) => count > 0 && probabilities[id] === 0)).toEqual([]);
        const { sum, degrees } = chiSquare(counts, probabilities, draws);
        // Mean `degrees`, variance 2 · degrees; five deviations, and the seed is fixed.
        expect(sum).toBeLessThan(degrees + 5 * Math.sqrt(2 * Math.max(1, degrees)));
      });
    }
  }

  test("are the same for the same seed", () => {
    const draw = (seed: number) => {
      const options = { random: random(seed), scratch: createScratch(flat.length) };
      return Array.from({ length: 50 }, () => sample(flat, neutral, options).token);
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
  });

  test("never give a forbidden token, however flat or cold the rest is", () => {
    fc.assert(
      fc.property(logitRows, fc.double({ min: 1e-12, max: 100, noNaN: true }), (logits, temperature) => {
        const options = { random: random(11), scratch: createScratch(logits.length) };
        for (let i = 0; i < 20; i++) {
          const { token } = sample(logits, { ...neutral, temperature }, options);
          expect(logits[token]).toBeGreaterThan(Number.NEGATIVE_INFINITY);
        }
      }),
      fixedSeed,
    );
  });
});

describe("processors", () => {
  const rule = { temperature: 0 };

  test("logit bias outweighs the model", () => {
    expect(
      sampleOnce(Float32Array.of(5, 1, 0), { ...rule, processors: [logitBias(new Map([[2, 6]]))] }).token,
    ).toBe(2);
  });

  test("repetition penalty counts the prompt, and divides or multiplies by sign", () => {
    const logits = Float32Array.of(4, 3, -4, -3);
    repetitionPenalty(2, [0, 2, 2]).apply(logits);
    expect([...logits]).toEqual([2, 3, -8, -3]);
  });

  test("frequency and presence penalties count sampled tokens only, the second once", () => {
    const penalties = outputPenalties(0.5, 0.25);
    for (const token of [1, 1, 1, 2]) penalties.accept(token);
    const logits = Float32Array.of(0, 0, 0);
    penalties.apply(logits);
    expect([...logits]).toEqual([0, -1.75, -0.75]);
  });

  test("see each sampled token", () => {
    const processors = [outputPenalties(0, 2)];
    const options = { random: random(1), scratch: createScratch(3) };
    const logits = Float32Array.of(2, 1.5, 1);
    const greedy = Array.from(
      { length: 3 },
      () => sample(logits, { ...neutral, ...rule, processors }, options).token,
    );
    expect(greedy).toEqual([0, 1, 2]);
  });
});

describe("log-probabilities", () => {
  test("are the model's own, whatever was done to the logits", () => {
    fc.assert(
      fc.property(logitRows, fc.integer({ min: 0, max: 20 }), (logits, topLogprobs) => {
        const processors = [logitBias(new Map([[0, -50]])), outputPenalties(1, 1)];
        const finite = sortedIds(logits);
        fc.pre(finite.length > 1 || finite[0] !== 0);
        const sampled = sampleOnce(logits, { temperature: 0.5, topK: 3, processors, topLogprobs });
        const max = Math.max(...logits);
        const logTotal = max + Math.log(finite.reduce((sum, id) => sum + Math.exp(logits[id] - max), 0));
        // 1e-9 is what the exponential is good for.
        expect(Math.abs(sampled.logprob! - (logits[sampled.token] - logTotal))).toBeLessThan(1e-8);
        expect(sampled.top!.map(({ token }) => token)).toEqual(finite.slice(0, topLogprobs));
        for (const { token, logprob } of sampled.top!)
          expect(Math.abs(logprob - (logits[token] - logTotal))).toBeLessThan(1e-8);
      }),
      fixedSeed,
    );
  });

  test("are not computed unless asked for", () => {
    expect(sampleOnce(Float32Array.of(0, 1), { temperature: 0 })).toEqual({ token: 1 });
  });
});

describe("a broken model", () => {
  const broken: readonly (readonly [string, Float32Array])[] = [
    ["NaN", Float32Array.of(0, Number.NaN, 1)],
    ["infinity", Float32Array.of(0, Number.POSITIVE_INFINITY)],
    ["nothing possible", new Float32Array(200).fill(Number.NEGATIVE_INFINITY)],
  ];
  for (const [name, logits] of broken) {
    test(`is an error with a code: ${name}`, () => {
      for (const temperature of [0, 1])
        expect(() => sampleOnce(logits, { temperature })).toThrow(
          expect.objectContaining({ code: "engine/bad-logits" }),
        );
    });
  }
});
