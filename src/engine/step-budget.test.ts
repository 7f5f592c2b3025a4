import { expect, test } from "vitest";
import { createStepBudget } from "./step-budget.ts";

test("a long prompt takes the whole step where that is a moment, and a part where others would wait", () => {
  const budget = createStepBudget(512, 8);
  expect(budget.tokens).toBe(128); // nothing is known yet
  for (let i = 0; i < 20; i++) budget.observe(512, 51.2);
  expect(budget.tokens).toBe(512);
  for (let i = 0; i < 20; i++) budget.observe(256, 256);
  expect(budget.tokens).toBeCloseTo(250, -1);
  for (let i = 0; i < 20; i++) budget.observe(200, 20_000);
  expect(budget.tokens).toBe(128);
});

test("everybody who runs gets a token of every step", () => {
  expect(createStepBudget(512, 200).tokens).toBeGreaterThanOrEqual(200);
  expect(createStepBudget(8, 8).tokens).toBe(8);
});
