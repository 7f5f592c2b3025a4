import { describe, expect, test } from "vitest";
import { bytesSource } from "../index.ts";
import { errorOf } from "../testing/tiny-model.ts";
import { encodeGgufHeader } from "./encode-header.ts";
import type { GgufTensorInfo, GgufValue } from "./format.ts";
import { readGgufHeader } from "./header.ts";
import { numbersOf, stringsOf } from "./stored-array.ts";

/** Little-endian pieces of a header, written by hand. */
const u32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const u64 = (...values: bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);
const string = (value: string): Uint8Array =>
  join(u64(BigInt(value.length)), new TextEncoder().encode(value));
const join = (...parts: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const beginning = (tensors: bigint, keys: bigint, version = 3): Uint8Array =>
  join(new TextEncoder().encode("GGUF"), u32(version), u64(tensors, keys));
const key = (name: string, type: number, ...value: Uint8Array[]): Uint8Array =>
  join(string(name), u32(type), ...value);
const tensor = (name: string, sizes: bigint[], type: number, offset: bigint): Uint8Array =>
  join(string(name), u32(sizes.length), u64(...sizes), u32(type), u64(offset));
/** Data behind the header, which begins at the next multiple of 32. */
const withData = (header: Uint8Array, bytes: number): Uint8Array =>
  join(header, new Uint8Array(Math.ceil(header.length / 32) * 32 - header.length + bytes));

const read = (bytes: Uint8Array) => readGgufHeader(bytesSource("model.gguf", bytes));
const refuse = async (bytes: Uint8Array, code: string, message: RegExp): Promise<void> => {
  const error = await errorOf(() => read(bytes));
  expect([error.code, error.message]).toEqual([`checkpoint/${code}`, expect.stringMatching(message)]);
  expect(error.message.length).toBeLessThan(500);
  expect(error.hint).toBeTruthy();
};

test("what was written is read: every type of value, and tensors where they lie", async () => {
  const scalars: [string, GgufValue][] = [
    ["u8", { type: "u8", value: 200 }],
    ["i8", { type: "i8", value: -100 }],
    ["u16", { type: "u16", value: 60000 }],
    ["i16", { type: "i16", value: -30000 }],
    ["u32", { type: "u32", value: 4e9 }],
    ["i32", { type: "i32", value: -2e9 }],
    ["f32", { type: "f32", value: Math.fround(1e-5) }],
    ["f64", { type: "f64", value: 1e-5 }],
    ["u64", { type: "u64", value: 2n ** 64n - 1n }],
    ["i64", { type: "i64", value: -(2n ** 63n) }],
    ["bool", { type: "bool", value: true }],
    ["string", { type: "string", value: "naïve 漢字" }],
  ];
  const arrays: [string, GgufValue][] = [
    ["strings", { type: "array", of: "string", value: ["", "ĠĊ", "x".repeat(300)] }],
    ["numbers", { type: "array", of: "i32", value: [1, -1, 5] }],
    ["none", { type: "array", of: "f32", value: [] }],
  ];
  const tensors: GgufTensorInfo[] = [
    { name: "a", type: "F32", shape: [3, 5] },
    { name: "b", type: "MXFP4", shape: [2, 3, 64] },
  ];
  const { header, dataBytes } = encodeGgufHeader(new Map([...scalars, ...arrays]), tensors);
  const found = await read(join(header, new Uint8Array(dataBytes)));
  for (const [name, value] of scalars) expect(found.metadata.get(name)).toEqual(value);
  const array = (name: string) => found.metadata.get(name) as Parameters<typeof stringsOf>[0];
  expect(stringsOf(array("strings"))).toEqual(arrays[0][1].value);
  expect(numbersOf(array("numbers"))).toEqual([1, -1, 5]);
  expect([numbersOf(array("none")), numbersOf(array("strings")), stringsOf(array("numbers"))]).toEqual([
    [],
    undefined,
    undefined,
  ]);
  expect(found.tensors).toEqual([
    { name: "a", type: "F32", typeId: 0, shape: [3, 5], offset: header.length, byteLength: 60 },
    { name: "b", type: "MXFP4", typeId: 39, shape: [2, 3, 64], offset: header.length + 64, byteLength: 204 },
  ]);
});

test("a header longer than the first reading, as every real one is", async () => {
  const tokens = Array.from({ length: 200_000 }, (_, i) => `token ${i}`);
  const metadata = new Map<string, GgufValue>([
    ["tokens", { type: "array", of: "string", value: tokens }],
    ["after", { type: "u32", value: 7 }],
  ]);
  const { header } = encodeGgufHeader(metadata, []);
  expect(header.length).toBeGreaterThan(2 ** 20);
  const found = await read(header);
  expect(found.metadata.get("after")).toEqual({ type: "u32", value: 7 });
  expect(stringsOf(found.metadata.get("tokens") as Parameters<typeof stringsOf>[0])).toEqual(tokens);
});

describe("not a GGUF file", () => {
  test("something else, another version, another byte order, a Git LFS pointer, a part of a header", async () => {
    await refuse(new Uint8Array(64), "bad-header", /expected "GGUF"/);
    await refuse(beginning(0n, 0n, 1), "bad-header", /version 1; versions 2 and 3/);
    await refuse(beginning(0n, 0n, 4), "bad-header", /version 4/);
    await refuse(beginning(0n, 0n, 0x03000000), "bad-header", /big-endian/);
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:00");
    await refuse(pointer, "bad-header", /Git LFS pointer/);
    for (const length of [0, 3, 8, 23])
      await refuse(beginning(0n, 0n).slice(0, length), "truncated", /inside its header/);
    expect((await read(beginning(0n, 0n, 2))).tensors).toEqual([]);
  });
});

describe("hostile numbers are refused before anything is allocated or walked", () => {
  const huge = [2n ** 64n - 1n, 2n ** 63n, 2n ** 53n, 2n ** 32n, 2n ** 31n];

  test("counts of tensors, keys, items, bytes of a string", async () => {
    for (const count of huge) {
      await refuse(beginning(count, 0n), "bad-header", /number of tensors is .*at most 65536/);
      await refuse(beginning(0n, count), "bad-header", /number of keys is .*at most 65536/);
      await refuse(join(beginning(0n, 1n), u64(count)), "bad-header", /length of a key is .*at most 65535/);
      const value = join(beginning(0n, 1n), key("k", 8, u64(count)));
      await refuse(value, "bad-header", /length of the value of "k" is/);
      for (const type of [0, 6, 8, 9, 12])
        await refuse(
          join(beginning(0n, 1n), key("k", 9, u32(type), u64(count))),
          "bad-header",
          /length of "k" is/,
        );
      const inner = join(beginning(0n, 1n), key("k", 9, u32(8), u64(1n), u64(count)));
      await refuse(inner, "bad-header", /a string in "k" is/);
    }
  });

  test("plausible counts that the file has no room for", async () => {
    await refuse(beginning(60_000n, 60_000n), "truncated", /inside its header/);
    await refuse(join(beginning(0n, 1n), key("k", 9, u32(12), u64(2n ** 24n))), "truncated", /inside/);
    await refuse(join(beginning(0n, 1n), key("k", 9, u32(8), u64(2n ** 24n))), "truncated", /inside/);
    await refuse(join(beginning(0n, 1n), key("k", 8, u64(2n ** 24n))), "truncated", /inside/);
  });

  test("arrays in arrays in arrays", async () => {
    const nested = (depth: number): Uint8Array[] =>
      Array.from({ length: depth }, () => join(u32(9), u64(1n)));
    const leaf = join(u32(4), u64(0n));
    const at = (depth: number) => join(beginning(0n, 1n), key("k", 9, ...nested(depth), leaf));
    expect((await read(at(2))).metadata.get("k")).toMatchObject({ type: "array", of: "array", length: 1 });
    await refuse(at(4), "bad-header", /nests more than 4 deep/);
    await refuse(at(1000), "bad-header", /nests more than 4 deep/);
  });

  test("types of values that the format does not have, and text that is not UTF-8", async () => {
    await refuse(join(beginning(0n, 1n), key("k", 13)), "bad-header", /"k" has type 13/);
    await refuse(join(beginning(0n, 1n), key("k", 9, u32(2 ** 31))), "bad-header", /"k" has type 2147483648/);
    const bytes = join(beginning(0n, 1n), u64(1n), Uint8Array.of(0xff), u32(4, 0));
    await refuse(bytes, "bad-header", /a key is not UTF-8/);
    await refuse(
      join(beginning(0n, 2n), key("k", 4, u32(0)), key("k", 4, u32(1))),
      "bad-header",
      /"k" is there twice/,
    );
  });

  test("an alignment that is none", async () => {
    const at = (type: number, value: Uint8Array) =>
      join(beginning(0n, 1n), key("general.alignment", type, value));
    for (const value of [0, 3, 48, 2 ** 21, 2 ** 31])
      await refuse(at(4, u32(value)), "bad-header", /general\.alignment is not a power of two/);
    await refuse(at(8, string("32")), "bad-header", /general\.alignment/);
    await refuse(at(10, u64(32n)), "bad-header", /general\.alignment/);
    await refuse(at(9, join(u32(4), u64(1n), u32(32))), "bad-header", /general\.alignment/);
  });
});

describe("tensors that cannot be", () => {
  const one = (...tensors: Uint8Array[]) => join(beginning(BigInt(tensors.length), 0n), ...tensors);

  test("ranks and sizes", async () => {
    await refuse(one(tensor("t", [], 0, 0n)), "bad-tensor", /has 0 dimensions/);
    await refuse(one(tensor("t", [1n, 1n, 1n, 1n, 1n], 0, 0n)), "bad-tensor", /has 5 dimensions/);
    await refuse(one(join(string("t"), u32(2 ** 31))), "bad-tensor", /has 2147483648 dimensions/);
    await refuse(one(tensor("t", [4n, 0n], 0, 0n)), "bad-tensor", /empty dimension/);
    for (const sizes of [
      [2n ** 64n - 1n],
      [2n ** 53n],
      [2n ** 31n, 2n ** 31n],
      [2n ** 24n, 2n ** 24n, 2n ** 24n],
    ])
      await refuse(one(tensor("t", sizes, 0, 0n)), "bad-tensor", /impossibly large/);
    await refuse(
      one(tensor("t", [33n], 39, 0n)),
      "bad-tensor",
      /rows of 33 values are not whole MXFP4 blocks/,
    );
    await refuse(one(tensor("t".repeat(65), [1n], 0, 0n)), "bad-header", /length of a tensor's name is 65/);
  });

  test("offsets: not aligned, outside the file, inside another tensor", async () => {
    for (const offset of [1n, 33n, 2n ** 53n, 2n ** 64n - 32n])
      await refuse(withData(one(tensor("t", [8n], 0, offset)), 64), "bad-tensor", /not a multiple of 32/);
    await refuse(withData(one(tensor("t", [8n], 0, 64n)), 64), "truncated", /"t" ends at byte/);
    await refuse(withData(one(tensor("t", [17n], 0, 0n)), 64), "truncated", /"t" ends at byte/);
    await refuse(withData(one(tensor("t", [8n], 0, 2n ** 52n)), 64), "truncated", /"t" ends at byte/);
    const both = one(tensor("a", [9n], 0, 0n), tensor("b", [8n], 0, 32n));
    await refuse(withData(both, 64), "bad-tensor", /"b": begins at byte \d+, inside the tensor before it/);
    await refuse(
      withData(one(tensor("a", [1n], 0, 0n), tensor("a", [1n], 0, 32n)), 64),
      "bad-tensor",
      /there twice/,
    );
  });

  test("in any order and with holes: the format allows it", async () => {
    const found = await read(withData(one(tensor("b", [8n], 0, 96n), tensor("a", [8n], 0, 0n)), 128));
    expect(found.tensors.map(({ name }) => name)).toEqual(["a", "b"]);
    // A storage type that is not known here may be that of a tensor that is not needed.
    const unknown = await read(withData(one(tensor("u", [8n], 99, 0n)), 0));
    expect(unknown.tensors[0]).toMatchObject({ type: undefined, typeId: 99 });
  });
});
