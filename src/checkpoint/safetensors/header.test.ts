import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../index.ts";
import { errorOf, putTogether, source } from "../testing/tiny-model.ts";
import { encodeSafetensorsHeader } from "./encode-header.ts";
import { dtypeBits, readSafetensorsHeader } from "./header.ts";

const entry = (dtype: unknown, shape: unknown, data_offsets: unknown) => ({ dtype, shape, data_offsets });
const read = (header: string | object, dataBytes: number) =>
  readSafetensorsHeader(source(putTogether(header, new Uint8Array(dataBytes))));

describe("what the format allows", () => {
  test("tensors in file order, at their positions in the file", async () => {
    const header = {
      __metadata__: { format: "pt" },
      b: entry("BF16", [3, 2], [4, 16]),
      a: entry("F32", [], [0, 4]),
      empty: entry("U8", [0, 7], [4, 4]),
    };
    const start = 8 + JSON.stringify(header).length;
    expect(await read(header, 16)).toEqual({
      metadata: { format: "pt" },
      tensors: [
        { name: "a", dtype: "F32", shape: [], offset: start, byteLength: 4 },
        { name: "empty", dtype: "U8", shape: [0, 7], offset: start + 4, byteLength: 0 },
        { name: "b", dtype: "BF16", shape: [3, 2], offset: start + 4, byteLength: 12 },
      ],
    });
  });

  test("padding after the JSON, fields of later versions, no tensors at all, and any name", async () => {
    expect(
      (await read('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":[{"y":1}]}}   ', 1))
        .tensors,
    ).toEqual([expect.objectContaining({ name: "__proto__", byteLength: 1 })]);
    expect((await read("{}", 0)).tensors).toEqual([]);
    expect((await read({ 'a"\n\\é': entry("U8", [], [0, 1]) }, 1)).tensors[0].name).toBe('a"\n\\é');
  });

  test("every storage type has its size", async () => {
    for (const [dtype, bits] of dtypeBits)
      expect((await read({ x: entry(dtype, [8], [0, bits]) }, bits)).tensors[0].dtype).toBe(dtype);
  });

  test("what the writer writes, the reader reads", async () => {
    const tensor = fc.record({
      name: fc.string({ unit: "binary" }).filter((name) => name !== "__metadata__"),
      shape: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(tensor, { selector: ({ name }) => name }), async (tensors) => {
        const headings = tensors.map((tensor) => ({
          ...tensor,
          dtype: "F32" as const,
          byteLength: 4 * tensor.shape.reduce((product, size) => product * size, 1),
        }));
        const header = encodeSafetensorsHeader(headings);
        expect(header.length % 8).toBe(0);
        const file = new Uint8Array(
          headings.reduce((sum, { byteLength }) => sum + byteLength, header.length),
        );
        file.set(header);
        const found = (await readSafetensorsHeader(source(file))).tensors;
        const wanted = headings.map(({ name, shape, byteLength }) =>
          expect.objectContaining({ name, shape, byteLength }),
        );
        expect(found).toHaveLength(wanted.length);
        expect(found).toEqual(expect.arrayContaining(wanted));
      }),
      { seed: 2, numRuns: 300 },
    );
  });
});

describe("a damaged or hostile file is refused, with file, tensor and expectation", () => {
  const headers: [string, string | object, string, RegExp][] = [
    ["not JSON", "{]", "bad-header", /not JSON/],
    ["not an object", '{"a":[1]', "bad-header", /not JSON/],
    ["not UTF-8", '{"a\ud800":1}', "bad-tensor", /a\ufffd/],
    ["metadata not strings", { __metadata__: { a: 1 } }, "bad-header", /__metadata__/],
    ["a tensor that is no object", { x: 5 }, "bad-tensor", /tensor "x": expected an object, got 5/],
    ["unknown dtype", { x: entry("Q4", [1], [0, 1]) }, "bad-tensor", /dtype is "Q4"/],
    ["dtype from the prototype", { x: entry("toString", [1], [0, 1]) }, "bad-tensor", /dtype is "toString"/],
    ["no shape", { x: entry("U8", undefined, [0, 1]) }, "bad-tensor", /shape is not a list/],
    ["negative size", { x: entry("U8", [-1, -16], [0, 16]) }, "bad-tensor", /shape is not a list/],
    ["fraction", { x: entry("U8", [0.5, 32], [0, 16]) }, "bad-tensor", /shape is not a list/],
    ["size as text", { x: entry("U8", ["16"], [0, 16]) }, "bad-tensor", /shape is not a list/],
    ["unsafe size", { x: entry("U8", [2 ** 60, 0], [0, 0]) }, "bad-tensor", /shape is not a list/],
    ["overflow", { x: entry("U8", [2 ** 40, 2 ** 40], [0, 16]) }, "bad-tensor", /impossibly large/],
    ["overflow to zero", { x: entry("U8", [2 ** 52, 2 ** 52, 0], [0, 0]) }, "bad-tensor", /impossibly large/],
    ["three offsets", { x: entry("U8", [16], [0, 8, 16]) }, "bad-tensor", /data_offsets is not a pair/],
    ["backwards", { x: entry("U8", [16], [16, 0]) }, "bad-tensor", /data_offsets is not a pair/],
    [
      "size differs",
      { x: entry("BF16", [16], [0, 16]) },
      "bad-tensor",
      /BF16 \[16\] needs 32 bytes, but .* 16/,
    ],
    ["half a byte", { x: entry("F4", [3], [0, 1]) }, "bad-tensor", /needs 1\.5 bytes/],
    [
      "past the end",
      { x: entry("U8", [17], [0, 17]) },
      "truncated",
      /"x" ends at byte \d+, but the file ends at/,
    ],
    ["far away", { x: entry("U8", [2], [2 ** 52, 2 ** 52 + 2]) }, "truncated", /"x" ends at/],
    [
      "overlap",
      { x: entry("U8", [9], [0, 9]), y: entry("U8", [8], [8, 16]) },
      "bad-tensor",
      /"y": begins at byte \d+, inside the tensor before it/,
    ],
    [
      "the same bytes twice",
      { x: entry("U8", [16], [0, 16]), y: entry("U8", [16], [0, 16]) },
      "bad-tensor",
      /inside the tensor before it/,
    ],
    [
      "hole",
      { x: entry("U8", [4], [0, 4]), y: entry("U8", [8], [8, 16]) },
      "bad-tensor",
      /"y": begins .* leaving a hole/,
    ],
    ["hole at the start", { x: entry("U8", [8], [8, 16]) }, "bad-tensor", /leaving a hole/],
    ["bytes left over", { x: entry("U8", [8], [0, 8]) }, "bad-header", /8 bytes after the last tensor/],
    [
      "a name twice",
      '{"x":{"dtype":"U8","shape":[16],"data_offsets":[0,16]},"\\u0078":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}',
      "bad-header",
      /has "x" twice/,
    ],
    [
      "a field twice",
      '{"x":{"dtype":"U8","dtype":"U8","shape":[16],"data_offsets":[0,16]}}',
      "bad-header",
      /has "dtype" twice/,
    ],
    ["deep nesting", `{"x":${"[".repeat(100)}${"]".repeat(100)}}`, "bad-header", /nests more than/],
    ["a name that clears the screen", { "\u001b[2J": 1 }, "bad-tensor", /"\\u001b\[2J"/],
    ["a name of a megabyte", { ["x".repeat(1e6)]: 1 }, "bad-tensor", /^.{0,250}$/],
  ];
  test.each(headers)("%s", async (_what, header, code, message) => {
    const error = await errorOf(() => read(header, 16));
    expect(error.code).toBe(`checkpoint/${code}`);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^model\.safetensors/);
    expect(error.hint).toBeTruthy();
  });

  const length = (count: bigint, rest: string) => {
    const file = new Uint8Array(8 + rest.length);
    new DataView(file.buffer).setBigUint64(0, count, true);
    file.set(new TextEncoder().encode(rest), 8);
    return file;
  };
  const files: [string, Uint8Array, string, RegExp][] = [
    ["empty", new Uint8Array(), "truncated", /0 bytes are too few/],
    [
      "all zeros, as a stopped download leaves it",
      new Uint8Array(4096),
      "bad-header",
      /expected a header length/,
    ],
    [
      "a header longer than the file",
      length(1000n, "{}"),
      "truncated",
      /claims 1000 bytes, but the file has 10/,
    ],
    ["a header over the cap", length(100_000_001n, "{}"), "bad-header", /2 to 100000000/],
    ["a header of 2^64 - 1", length(2n ** 64n - 1n, "{}"), "bad-header", /expected a header length/],
    [
      "a Git LFS pointer",
      new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"),
      "bad-header",
      /LFS pointer/,
    ],
    [
      "a web page",
      new TextEncoder().encode("<!DOCTYPE html><html>"),
      "bad-header",
      /begins with "<!DOCTYPE html>/,
    ],
    ["GGUF", new TextEncoder().encode("GGUF\u0003\0\0\0\0\0\0\0"), "bad-header", /begins with "GGUF/],
  ];
  test.each(files)("%s", async (_what, file, code, message) => {
    const error = await errorOf(() => readSafetensorsHeader(source(file)));
    expect([error.code, error.message]).toEqual([`checkpoint/${code}`, expect.stringMatching(message)]);
  });

  test("every truncation of a real file", async () => {
    const file = new Uint8Array(readFileSync("test/golden/micro-original/model.safetensors"));
    for (const size of [7, 8, 9, 100, 5807, 5808, 5809, 1e6, file.length - 1]) {
      const error = await errorOf(() => readSafetensorsHeader(source(file.subarray(0, size))));
      expect([size, error.code]).toEqual([size, "checkpoint/truncated"]);
    }
  });
});

describe("hostile size: bounded memory and time", () => {
  test("a claimed length is never allocated before it is known to be there", async () => {
    let largest = 0;
    const tiny = bytesSource("x", putTogether({}, new Uint8Array()));
    const lying = {
      ...tiny,
      size: 64,
      read: (offset: number, length: number) => {
        largest = Math.max(largest, length);
        return tiny.read(offset, Math.min(length, 10 - offset));
      },
    };
    await errorOf(async () =>
      readSafetensorsHeader({
        ...lying,
        read: async (offset, length) => {
          const bytes = await lying.read(offset, length);
          bytes[0] = 0xff; // a header of 255 bytes
          return bytes;
        },
      }),
    );
    expect(largest).toBeLessThanOrEqual(64);
  });

  test.each([
    ["tensors", (count: number) => `"t${count}":{"dtype":"U8","shape":[],"data_offsets":[0,0]},`],
    ["sizes in a shape", () => "1,"],
    ["brackets", () => "[],"],
  ])("a header full of %s", async (_what, piece) => {
    const pieces: string[] = ['{"x":{"shape":['];
    if (piece(0).startsWith('"')) pieces[0] = "{";
    for (let bytes = 0, count = 0; bytes < 20e6; count++) {
      pieces.push(piece(count));
      bytes += pieces[count].length;
    }
    const error = await errorOf(() => read(pieces.join(""), 16));
    expect([error.code, error.message]).toEqual([
      "checkpoint/bad-header",
      expect.stringMatching(/far more than any model/),
    ]);
  });
});
