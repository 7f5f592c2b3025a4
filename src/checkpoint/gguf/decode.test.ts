import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createMeasure, measureRounding } from "../numbers/rounding.ts";
import { bytesOf as bytesIn, narrow, floatsOf as widened } from "../numbers/rows.ts";
import { decodeBlocks, decodeBlocksToBf16, isQuantized } from "./decode.ts";
import { type GgmlType, ggmlTypes } from "./format.ts";

interface Golden {
  readonly types: Readonly<
    Record<
      string,
      { id: number; values: number; bytes: number; readonly stored: string; readonly decoded: string }
    >
  >;
}

const golden: Golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/gguf/blocks.json", import.meta.url), "utf8"),
);
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));
const floatsOf = (base64: string): Float32Array => new Float32Array(bytesOf(base64).slice().buffer);

test.each(Object.keys(golden.types))("%s is read as ggml reads it, bit for bit", (name) => {
  const type = name as GgmlType;
  const { id, values, bytes, stored, decoded } = golden.types[name];
  expect(ggmlTypes[type]).toEqual({ id, values, bytes });
  if (isQuantized(type)) expect(decodeBlocks(type, bytesOf(stored))).toEqual(floatsOf(decoded));
});

test("every quantised type that is read is in the goldens", () => {
  const inOrderOfSafetensors = "MXFP4_OLLAMA"; // only Ollama writes it; see repack.test.ts
  const types = (Object.keys(ggmlTypes) as GgmlType[]).filter(isQuantized);
  expect(types.filter((type) => !(type in golden.types))).toEqual([inOrderOfSafetensors]);
});

test.each(Object.keys(golden.types).filter((name) => isQuantized(name as GgmlType)))(
  "%s rounded to BF16 on the way is the exact values rounded, and so is the loss",
  (name) => {
    const type = name as keyof Golden["types"] & Parameters<typeof decodeBlocks>[0];
    const stored = bytesOf(golden.types[name].stored);
    // 19 times as many: not a whole number of the passes that the decoder makes.
    const bytes = Uint8Array.from({ length: 19 * stored.length }, (_, i) => stored[i % stored.length]);
    const exact = decodeBlocks(type, bytes);
    const measure = createMeasure(name, "bf16");
    const halves = decodeBlocksToBf16(type, bytes, measure);
    expect(halves).toEqual(narrow(exact));
    expect(decodeBlocksToBf16(type, bytes)).toEqual(halves);
    const expected = measureRounding(name, "bf16", { exact, stored: widened("BF16", bytesIn(halves)) });
    const { squares, errorSquares, ...rest } = measure.result();
    expect(rest).toEqual({
      tensor: name,
      to: "bf16",
      values: expected.values,
      largestError: expected.largestError,
    });
    // Added up in another order.
    expect(squares / expected.squares).toBeCloseTo(1, 12);
    expect(Math.abs(errorSquares - expected.errorSquares)).toBeLessThanOrEqual(1e-12 * expected.errorSquares);
  },
);
