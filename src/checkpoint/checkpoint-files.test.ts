import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { TensorView } from "../base/index.ts";
import { checkpointFiles, type Layout, type NamedFile, syntheticTensors } from "./index.ts";
import { openCheckpoint } from "./node/index.ts";
import { errorOf, takeApart, text, tinyConfig } from "./testing/tiny-model.ts";

async function bytesOf(file: NamedFile | undefined): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of file!.chunks()) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** Digest of every tensor of a safetensors file, by name. */
function digests(file: Uint8Array): Map<string, string> {
  const { json, data } = takeApart(file);
  const { __metadata__, ...entries } = json;
  return new Map(
    Object.entries(entries).map(([name, { dtype, shape, data_offsets }]) => {
      const [begin, end] = data_offsets as [number, number];
      const hash = createHash("sha1").update(data.subarray(begin, end)).digest("hex");
      return [name, `${dtype} [${shape}] ${hash}`];
    }),
  );
}

test.each([
  ["models/micro", "original", ["test/golden/micro-original/model.safetensors"]],
  [
    "test/golden/micro-original",
    "huggingface",
    ["models/micro/model-00000-of-00002.safetensors", "models/micro/model-00001-of-00002.safetensors"],
  ],
] as const)(
  "%s written in the %s layout has the very tensors of the published files",
  async (from, to, published) => {
    const checkpoint = await openCheckpoint(from);
    const files = checkpointFiles(checkpoint.config, checkpoint.tensor, { layout: to satisfies Layout });
    const written = await bytesOf(files.find(({ name }) => name === "model.safetensors"));
    const expected = published.flatMap((path) => [...digests(new Uint8Array(readFileSync(path)))]);
    expect(new Map([...digests(written)].sort())).toEqual(new Map(expected.sort()));
    await checkpoint.close();
  },
);

test("a tokenizer is written where one is given, and config.json comes last", async () => {
  const tensors = syntheticTensors(tinyConfig, 1);
  const files = checkpointFiles(tinyConfig, (name) => tensors.get(name)!, {
    layout: "original",
    tokenizerJson: "{}",
  });
  expect(files.map(({ name }) => name)).toEqual([
    "model.safetensors",
    "tokenizer.json",
    "generation_config.json",
    "config.json",
  ]);
  expect(text(await bytesOf(files[1]))).toBe("{}");
});

test("q, k and v of different types cannot become one tensor, and that is said", async () => {
  const tensors = syntheticTensors(tinyConfig, 1);
  const tensor = (name: string): TensorView => {
    const view = tensors.get(name)!;
    return name.endsWith("0.self_attn.k_proj.bias") ? { ...view, dtype: "F32" } : view;
  };
  const error = await errorOf(() => checkpointFiles(tinyConfig, tensor, { layout: "original" }));
  expect([error.code, error.message]).toEqual([
    "checkpoint/wrong-dtype",
    "block.0.attn.qkv.bias: model.layers.0.self_attn.k_proj.bias is F32, but model.layers.0.self_attn.q_proj.bias is BF16",
  ]);
});
