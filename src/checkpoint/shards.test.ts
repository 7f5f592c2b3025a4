import { expect, test } from "vitest";
import { bytesPerElement } from "../base/index.ts";
import { parseShardIndex, shapes, storedTensors } from "./index.ts";
import { encodeSafetensorsHeader } from "./safetensors/encode-header.ts";
import { readSafetensorsHeader } from "./safetensors/header.ts";
import { formatShardIndex, planShards } from "./shards.ts";

test.each([
  ["gpt-oss-20b", 3],
  ["gpt-oss-120b", 15],
] as const)(
  "%s is written as %i files of at most 5 GB, every tensor aligned and in the index",
  async (shape, count) => {
    const tensors = storedTensors(shapes[shape], "huggingface");
    const shards = planShards(tensors);
    expect(shards).toHaveLength(count);
    expect(shards[0].fileName).toBe(`model-00000-of-000${String(count - 1).padStart(2, "0")}.safetensors`);

    const index = formatShardIndex(shards);
    const { shardOf } = parseShardIndex({ name: "index", text: index });
    expect([...shardOf.keys()]).toEqual(tensors.map(({ name }) => name).sort());
    let total = 0;
    for (const { fileName, tensors: members } of shards) {
      const header = encodeSafetensorsHeader(members);
      const bytes = members.reduce((sum, { byteLength }) => sum + byteLength, 0);
      expect(bytes).toBeLessThanOrEqual(5e9);
      total += bytes;
      const file = { name: fileName, size: header.length + bytes, close: async () => {} };
      // Only the header exists; reading it must not need more.
      const read = async (offset: number, length: number) => header.slice(offset, offset + length);
      for (const { name, dtype, offset } of (await readSafetensorsHeader({ ...file, read })).tensors) {
        expect(shardOf.get(name)).toBe(fileName);
        expect([name, offset % bytesPerElement[dtype as "BF16"]]).toEqual([name, 0]);
      }
    }
    expect(JSON.parse(index).metadata.total_size).toBe(total);
  },
);

test("a tensor larger than a shard has one of its own", () => {
  const tensor = (name: string, byteLength: number) => ({
    name,
    dtype: "U8" as const,
    shape: [byteLength],
    byteLength,
  });
  const shards = planShards([tensor("c", 4), tensor("b", 99), tensor("a", 6), tensor("d", 4)], 10);
  expect(shards.map(({ tensors }) => tensors.map(({ name }) => name))).toEqual([["c"], ["b"], ["a", "d"]]);
});

test("wide elements come first in a file, so that an odd number of bytes before them cannot misalign them", () => {
  const odd = { name: "a", dtype: "U8" as const, shape: [3], byteLength: 3 };
  const wide = { name: "b", dtype: "BF16" as const, shape: [3], byteLength: 6 };
  expect(planShards([odd, wide])[0].tensors).toEqual([wide, odd]);
});
