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
  const sums = new Float64Array(3);
  let values = 0;
  return {
    add: (exact, stored) => {
      values += exact.length;
      addErrors(exact, stored, sums);
    },
    result: () => ({
      tensor,
      to,
      values,
      squares: sums[0],
      errorSquares: sums[1],
      largestError: sums[2],
    }),
  };
}

export function measureRounding(
  tensor: string,
  to: Rounding["to"],
  { exact, stored }: { readonly exact: Float32Array; readonly stored: Float32Array },
): Rounding {
  const measure = createMeasure(tensor, to);
  measure.add(exact, stored);
  return measure.result();
}

/** Two sums of each kind, so that an addition need not wait for the one before. */
function addErrors(exact: Float32Array, stored: Float32Array, sums: Float64Array): void {
  let squares = 0;
  let oddSquares = 0;
  let errors = 0;
  let oddErrors = 0;
  let largest = sums[2];
  const pairs = exact.length & ~1;
  for (let i = 0; i < pairs; i += 2) {
    const a = exact[i];
    const b = exact[i + 1];
    const x = stored[i] - a;
    const y = stored[i + 1] - b;
    squares += a * a;
    oddSquares += b * b;
    errors += x * x;
    oddErrors += y * y;
    largest = Math.max(largest, Math.abs(x), Math.abs(y));
  }
  if (pairs < exact.length) {
    const x = stored[pairs] - exact[pairs];
    squares += exact[pairs] ** 2;
    errors += x * x;
    largest = Math.max(largest, Math.abs(x));
  }
  sums[0] += squares + oddSquares;
  sums[1] += errors + oddErrors;
  sums[2] = largest;
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
