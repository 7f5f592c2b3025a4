// How much a tensor lost when it was stored in fewer bits.

/** Told for every piece of a tensor that was rounded; the caller adds them up. */
export interface Rounding {
  /** By its Hugging Face name. */
  readonly tensor: string;
  readonly to: "bf16" | "q8_0" | "mxfp4";
  readonly values: number;
  /** Sum of the values' squares, and of the errors'. */
  readonly squares: number;
  readonly errorSquares: number;
  readonly largestError: number;
}

export type OnRounding = (rounding: Rounding) => void;

/** Blocks of values and what became of them, added up: cheap where both are in the cache anyway. */
export interface Measure {
  add(exact: Float32Array, stored: Float32Array): void;
  result(): Rounding;
}

export function createMeasure(tensor: string, to: Rounding["to"]): Measure {
  let sum: Rounding = { tensor, to, values: 0, squares: 0, errorSquares: 0, largestError: 0 };
  return {
    add: (exact, stored) => {
      sum = addRoundings(sum, measureRounding(tensor, to, { exact, stored }));
    },
    result: () => sum,
  };
}

export function measureRounding(
  tensor: string,
  to: Rounding["to"],
  { exact, stored }: { readonly exact: Float32Array; readonly stored: Float32Array },
): Rounding {
  let squares = 0;
  let errorSquares = 0;
  let largestError = 0;
  for (let i = 0; i < exact.length; i++) {
    const error = Math.abs(stored[i] - exact[i]);
    squares += exact[i] * exact[i];
    errorSquares += error * error;
    largestError = error > largestError ? error : largestError; // seldom true, so the branch is cheap
  }
  return { tensor, to, values: exact.length, squares, errorSquares, largestError };
}

export function addRoundings(a: Rounding, b: Rounding): Rounding {
  return {
    ...a,
    values: a.values + b.values,
    squares: a.squares + b.squares,
    errorSquares: a.errorSquares + b.errorSquares,
    largestError: Math.max(a.largestError, b.largestError),
  };
}
