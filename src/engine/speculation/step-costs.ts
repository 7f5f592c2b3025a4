// What a step of so many rows takes, learnt from the steps that ran. Only ratios matter. Knows milliseconds and rows.

export interface StepCosts {
  observe(rows: number, milliseconds: number): void;
  /** Of a step with so many rows; in milliseconds once anything was observed. */
  of(rows: number): number;
}

/** Of what one row costs, each further row, as long as nothing better is known: low, so that it gets tried. */
const assumedShare = 0.1;
const learning = 0.15;
/** What is not observed fades to the assumption: one bad moment of the machine must not decide for good. */
const fading = 0.005;
/** A pause of the process says nothing about the step: no observation counts for more than this many times the mean. */
const largestSurprise = 3;

export function createStepCosts(maxRows: number): StepCosts {
  const assumed = (rows: number): number => 1 + assumedShare * (rows - 1);
  const costs = Array.from({ length: maxRows + 1 }, (_, rows) => assumed(rows));
  let isFirst = true;
  return {
    observe(rows, milliseconds) {
      if (isFirst) for (const other of costs.keys()) costs[other] *= milliseconds / assumed(rows);
      isFirst = false;
      const cost = Math.min(milliseconds, largestSurprise * costs[rows]);
      costs[rows] += learning * (cost - costs[rows]);
      for (const other of costs.keys()) {
        if (other !== rows)
          costs[other] += fading * ((costs[rows] * assumed(other)) / assumed(rows) - costs[other]);
      }
    },
    of: (rows) => costs[rows],
  };
}
