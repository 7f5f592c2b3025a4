import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodeBlocks, isQuantized } from "./decode.ts";
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
