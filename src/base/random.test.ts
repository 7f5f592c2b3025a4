import { expect, test } from "vitest";
import { random } from "./random.ts";

test("a seed gives the same numbers on every machine", () => {
  const numbers = random(42);
  expect([numbers.uint32(), numbers.uint32(), numbers.uint32()]).toMatchInlineSnapshot(`
    [
      660444221,
      3652823732,
      77672526,
    ]
  `);
  expect(random(43).uint32()).not.toBe(random(42).uint32());
});

test("uniform numbers fill [0, 1) evenly, normal ones have mean 0 and variance 1", () => {
  const numbers = random(1);
  const count = 100_000;
  const bins = new Uint32Array(10);
  let sum = 0;
  let squares = 0;
  for (let i = 0; i < count; i++) {
    const uniform = numbers.float();
    expect(uniform >= 0 && uniform < 1).toBe(true);
    bins[Math.floor(uniform * 10)]++;
    const normal = numbers.normal();
    sum += normal;
    squares += normal * normal;
  }
  // five standard deviations of a bin's count, of the mean and of the variance
  for (const bin of bins) expect(Math.abs(bin - count / 10)).toBeLessThan(5 * Math.sqrt(count * 0.09));
  expect(Math.abs(sum / count)).toBeLessThan(5 / Math.sqrt(count));
  expect(Math.abs(squares / count - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
});
