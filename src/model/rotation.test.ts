import { expect, test } from "vitest";
import type { RopeConfig } from "../checkpoint/index.ts";
import { createRotate } from "./rotation.ts";

const published: RopeConfig = {
  theta: 150_000,
  factor: 32,
  originalContextLength: 4096,
  betaFast: 32,
  betaSlow: 1,
  truncate: false,
};

const angles = (config: RopeConfig, position: number, count = 1) => {
  const sequence = { tokens: new Int32Array(count), position, blockTables: [] };
  return createRotate(config, 64)({ sequences: [sequence], rows: count });
};

/** With the ramp's bounds as published, rather than computed. */
const expectedAngle = (pair: number, position: number, low: number, high: number): number => {
  const fast = 150_000 ** (-pair / 32);
  const ramp = Math.min(Math.max((pair - low) / (high - low), 0), 1);
  return position * (fast * (1 - ramp) + (fast / 32) * ramp);
};

function expectAngles(config: RopeConfig, low: number, high: number): void {
  for (const position of [0, 1, 127, 4095, 4096, 131_071]) {
    const { cos, sin } = angles(config, position);
    for (let pair = 0; pair < 32; pair++) {
      const angle = expectedAngle(pair, position, low, high);
      // f32 angles are off by up to 2^-24 of themselves; the bounds are published with five digits.
      const digits = position > 200 ? 1 : 3;
      expect(cos[pair]).toBeCloseTo(1.3466 * Math.cos(angle), digits);
      expect(sin[pair]).toBeCloseTo(1.3466 * Math.sin(angle), digits);
    }
  }
}

test("YaRN acts at every position, with the published bounds, untruncated", () => {
  expectAngles(published, 8.0928, 17.398);
});

test("a config that truncates has whole bounds", () => {
  expectAngles({ ...published, truncate: true }, 8, 18);
});

test("without scaling the angles are plain", () => {
  const { cos } = angles({ ...published, factor: 1 }, 3);
  for (let pair = 0; pair < 32; pair++)
    expect(cos[pair]).toBeCloseTo(Math.cos(3 * 150_000 ** (-pair / 32)), 6);
});

test("each row of a ragged batch has its own position", () => {
  const rotate = createRotate(published, 64);
  const sequence = (count: number, position: number) => ({
    tokens: new Int32Array(count),
    position,
    blockTables: [],
  });
  const { cos, sin } = rotate({ sequences: [sequence(2, 500), sequence(0, 9), sequence(1, 7)], rows: 3 });
  for (const [row, position] of [500, 501, 7].entries()) {
    const alone = angles(published, position);
    expect(cos.subarray(row * 32, (row + 1) * 32)).toEqual(alone.cos);
    expect(sin.subarray(row * 32, (row + 1) * 32)).toEqual(alone.sin);
  }
});
