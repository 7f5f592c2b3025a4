import { expect, test } from "vitest";
import { createMeasure, measureRounding } from "./rounding.ts";

test("a loss is the same however a tensor is cut up, pieces of odd length too", () => {
  const exact = Float32Array.of(1, -2, 3, 0.5, 4, 0, 8);
  const stored = Float32Array.of(1, -2.5, 3, 0.25, 4, 0, 7);
  const whole = { tensor: "t", to: "bf16", values: 7, squares: 94.25, errorSquares: 1.3125, largestError: 1 };
  expect(measureRounding("t", "bf16", { exact, stored })).toEqual(whole);
  for (const pieces of [[7], [1, 6], [3, 4], [2, 2, 3], [0, 7]]) {
    const measure = createMeasure("t", "bf16");
    let from = 0;
    for (const length of pieces) {
      // A longer array of what was stored is fine: it is what a buffer that is used again looks like.
      measure.add(exact.subarray(from, from + length), stored.subarray(from));
      from += length;
    }
    expect(measure.result()).toEqual(whole);
  }
});
