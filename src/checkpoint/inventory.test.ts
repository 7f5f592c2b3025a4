import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  bytesReadPerToken,
  cacheBytes,
  checkpointBytes,
  inventory,
  parameterCounts,
  parseConfig,
  shapes,
  storedTensors,
} from "./index.ts";
import { takeApart } from "./testing/tiny-model.ts";

const micro = parseConfig({ name: "config.json", text: readFileSync("models/micro/config.json", "utf8") });
const heading = (path: string): Map<string, unknown> => {
  const { __metadata__, ...json } = takeApart(new Uint8Array(readFileSync(path))).json;
  return new Map(Object.entries(json).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
};

describe("the inventory is what the files hold", () => {
  test("Hugging Face", () => {
    const published = new Map([
      ...heading("models/micro/model-00000-of-00002.safetensors"),
      ...heading("models/micro/model-00001-of-00002.safetensors"),
    ]);
    const ours = new Map(inventory(micro).map(({ name, dtype, shape }) => [name, { dtype, shape }]));
    expect(ours).toEqual(published);
  });

  test("original", () => {
    const published = heading("test/golden/micro-original/model.safetensors");
    const stored = storedTensors(micro, "original");
    expect(new Map(stored.map(({ name, dtype, shape }) => [name, { dtype, shape }]))).toEqual(published);
  });
});

describe("the published models, as their model card and files count them", () => {
  const [small, large] = [shapes["gpt-oss-20b"], shapes["gpt-oss-120b"]];
  const billions = (count: number) => Number((count / 1e9).toFixed(2));

  test("parameters", () => {
    // The card's table 1: 20.91 B total and 3.61 B active; 116.83 B and 5.13 B.
    const { total, activePerToken, parts } = parameterCounts(small);
    expect([total, activePerToken].map(billions)).toEqual([20.91, 3.61]);
    expect(
      [parts.experts + parts.router, parts.attention, parts.embedding + parts.unembedding].map(billions),
    ).toEqual([19.12, 0.64, 1.16]);
    expect([parameterCounts(large).total, parameterCounts(large).activePerToken].map(billions)).toEqual([
      116.83, 5.13,
    ]);
  });

  test("bytes on disk", () => {
    expect(checkpointBytes(small)).toBe(13_761_264_768); // metadata.total_size of the published index
    expect((checkpointBytes(large) / 2 ** 30).toFixed(1)).toBe("60.8");
  });

  test("bytes read for a decoded token", () => {
    expect((bytesReadPerToken(small, "bf16") / 1e9).toFixed(1)).toBe("3.7");
    expect((bytesReadPerToken(small, "q8") / 1e9).toFixed(1)).toBe("2.6"); // 8.5 bits a weight: the scale counts
  });

  test("the cache grows with the full layers only", () => {
    expect(cacheBytes(small, 1001) - cacheBytes(small, 1000)).toBe(24 * 1024);
    expect((cacheBytes(small, 131072) / 1e9).toFixed(1)).toBe("3.2");
    expect(cacheBytes(small, 100)).toBe(100 * 24 * 2048);
  });
});
