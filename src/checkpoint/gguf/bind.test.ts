import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { TensorView } from "../../base/index.ts";
import { type Checkpoint, inventory, type Rounding } from "../index.ts";
import { floatsOf } from "../numbers/rows.ts";
import {
  type GgufPiece,
  type GgufPieces,
  ggufBytes,
  openGgufBytes,
  tinyCheckpoint,
  tinyGguf,
} from "../testing/tiny-gguf.ts";
import { errorOf, tinyConfig } from "../testing/tiny-model.ts";
import { decodeBlocks } from "./decode.ts";
import { encodeQ8 } from "./encode-q8.ts";
import { type GgmlType, ggmlTypes } from "./format.ts";
import { blocksFromGguf } from "./repack.ts";

const truth = await tinyCheckpoint();

/** Every tensor has the values of the original; MXFP4 the very bytes. */
async function expectSameValues(model: Checkpoint): Promise<void> {
  expect(model.layout).toBe("gguf");
  for (const { name, shape } of inventory(tinyConfig)) {
    const [view, original] = [model.tensor(name), truth.tensor(name)];
    expect([name, view.shape]).toEqual([name, shape]);
    const bytes = await view.read();
    expect([name, bytes.length]).toEqual([name, view.byteLength]);
    const expected = await original.read();
    expect([name, isInPlace(view)]).toEqual([name, true]);
    if (original.dtype === "U8") expect([name, Buffer.compare(bytes, expected)]).toEqual([name, 0]);
    else expect([name, floatsOf(view.dtype, bytes)]).toEqual([name, floatsOf("BF16", expected)]);
  }
}

/** A backend need not read it: the scales of MXFP4 come with their blocks, and biases are small. */
const isInPlace = ({ name, location, stored }: TensorView): boolean =>
  location !== undefined || stored !== undefined || /_scales$|experts.*_bias$/.test(name);

/** What a backend finds where a view says that its blocks lie, as the view's own bytes. */
function bytesInPlace({ shape, stored }: TensorView, files: readonly Uint8Array[]): Uint8Array {
  if (stored?.type !== "mxfp4") throw new Error("not MXFP4 in a file");
  const { nibbles, parts } = stored;
  const [experts, rows, blocksPerRow] = shape;
  const out = new Uint8Array(experts * rows * blocksPerRow * 16);
  for (let row = 0; row < experts * rows; row++) {
    const [expert, own] = [Math.floor(row / rows), row % rows];
    const { path, offset, expertBytes } = parts[own % parts.length];
    const from = offset + expert * expertBytes + Math.floor(own / parts.length) * blocksPerRow * 17;
    const file = files[Number(/-(\d)\./.exec(path)![1]) - 1];
    const bytes = file.subarray(from, from + blocksPerRow * 17);
    const order = nibbles === "halves" ? "ggml" : "safetensors";
    blocksFromGguf(bytes, out.subarray(row * blocksPerRow * 16), { blocksPerRow, order });
  }
  return out;
}

const rename = (pieces: GgufPieces, names: Readonly<Record<string, string>>): void => {
  for (const tensor of pieces.tensors)
    for (const [from, to] of Object.entries(names)) tensor.name = tensor.name.replace(from, to);
};
const take = (pieces: GgufPieces, name: string): GgufPiece => {
  const at = pieces.tensors.findIndex((tensor) => tensor.name === name);
  return pieces.tensors.splice(at, 1)[0];
};
const rowBytes = ({ type, shape }: GgufPiece): number =>
  (shape[shape.length - 1] / ggmlTypes[type].values) * ggmlTypes[type].bytes;

/** gate and up as one tensor: rows in turns, or all gate rows of an expert first. */
function fuseGateUp(pieces: GgufPieces, order: "alternating" | "stacked"): void {
  for (let layer = 0; layer < tinyConfig.layers; layer++)
    for (const part of ["weight", "bias"]) {
      const gate = take(pieces, `blk.${layer}.ffn_gate_exps.${part}`);
      const up = take(pieces, `blk.${layer}.ffn_up_exps.${part}`);
      const [experts, rows] = gate.shape;
      const width = part === "bias" ? 4 : rowBytes(gate);
      const out = new Uint8Array(2 * gate.bytes.length);
      for (let row = 0; row < experts * rows; row++)
        for (const [half, { bytes }] of [gate, up].entries()) {
          const expert = Math.floor(row / rows);
          const to =
            order === "alternating" ? 2 * row + half : (2 * expert + half) * rows + (row - expert * rows);
          out.set(bytes.subarray(row * width, (row + 1) * width), to * width);
        }
      const shape = [experts, 2 * rows, ...gate.shape.slice(2)];
      pieces.tensors.push({
        name: `blk.${layer}.ffn_gate_up_exps.${part}`,
        type: gate.type,
        shape,
        bytes: out,
      });
    }
}

/** q, k and v as one tensor. */
function fuseQkv(pieces: GgufPieces): void {
  for (let layer = 0; layer < tinyConfig.layers; layer++)
    for (const part of ["weight", "bias"]) {
      const parts = ["q", "k", "v"].map((name) => take(pieces, `blk.${layer}.attn_${name}.${part}`));
      const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
      pieces.tensors.push({
        ...parts[0],
        name: `blk.${layer}.attn_qkv.${part}`,
        shape: [rows, ...parts[0].shape.slice(1)],
        bytes: new Uint8Array(Buffer.concat(parts.map(({ bytes }) => bytes))),
      });
    }
}

function toOllama(pieces: GgufPieces): void {
  for (const [key, value] of [...pieces.metadata]) {
    if (!key.startsWith("gpt-oss.")) continue;
    pieces.metadata.delete(key);
    const isLeftOut = key.endsWith("rope.scaling.type") || key.includes("expert_feed_forward");
    if (!isLeftOut) pieces.metadata.set(key.replace("gpt-oss.", "gptoss."), value);
  }
  pieces.metadata.set("general.architecture", { type: "string", value: "gptoss" });
  fuseGateUp(pieces, "alternating");
  rename(pieces, {
    attn_output: "attn_out",
    "attn_sinks.weight": "attn_sinks",
    "post_attention_norm.": "ffn_norm.",
  });
  for (const tensor of pieces.tensors) {
    if (tensor.type !== "MXFP4") continue;
    const nibbles = new Uint8Array((tensor.bytes.length / 17) * 16);
    blocksFromGguf(tensor.bytes, nibbles, { blocksPerRow: 1 });
    for (let b = 0; b < tensor.bytes.length / 17; b++)
      tensor.bytes.set(nibbles.subarray(b * 16, (b + 1) * 16), b * 17 + 1);
    tensor.type = "MXFP4_OLLAMA";
  }
}

describe("the same model however a file is written", () => {
  test("as llama.cpp's converter writes it", async () => {
    const model = await openGgufBytes([ggufBytes(await tinyGguf())]);
    expect(model.config).toEqual(tinyConfig);
    await expectSameValues(model);
  });

  test("with gate and up in one tensor, as llama.cpp's converter can", async () => {
    const pieces = await tinyGguf();
    fuseGateUp(pieces, "stacked");
    await expectSameValues(await openGgufBytes([ggufBytes(pieces)]));
  });

  test("Ollama's first files: other names, rows in turns, nibbles in the order of safetensors", async () => {
    const pieces = await tinyGguf();
    toOllama(pieces);
    const model = await openGgufBytes([ggufBytes(pieces)]);
    expect(model.config).toEqual(tinyConfig);
    await expectSameValues(model);
    fuseQkv(pieces);
    await expectSameValues(await openGgufBytes([ggufBytes(pieces)]));
  });

  test("in parts, in any order of tensors", async () => {
    const { metadata, tensors } = await tinyGguf();
    const split = (no: number): GgufPieces => {
      const own = new Map(no === 0 ? metadata : []);
      own.set("split.no", { type: "u16", value: no });
      own.set("split.count", { type: "u16", value: 3 });
      own.set("split.tensors.count", { type: "i32", value: tensors.length });
      return { metadata: own, tensors: tensors.filter((_, i) => i % 3 === no).reverse() };
    };
    const files = [0, 1, 2].map((no) => ggufBytes(split(no)));
    await expectSameValues(await openGgufBytes(files));
    for (const [wrong, code] of [
      [[files[0]], "missing-shard"],
      [files.slice(0, 2), "missing-shard"],
      [[files[0], files[2], files[1]], "missing-shard"],
      [[files[0], files[1], files[1]], "missing-shard"],
    ] as const)
      expect((await errorOf(() => openGgufBytes(wrong))).code).toBe(`checkpoint/${code}`);
  });

  test("any range of bytes of any tensor, however its blocks lie", async () => {
    const pieces = await tinyGguf();
    fuseGateUp(pieces, "stacked");
    const model = await openGgufBytes([ggufBytes(pieces)]);
    for (const name of [
      "gate_up_proj_blocks",
      "gate_up_proj_scales",
      "gate_up_proj_bias",
      "down_proj_blocks",
    ]) {
      const view = model.tensor(`model.layers.1.mlp.experts.${name}`);
      const whole = await view.read();
      for (const [start, end] of [
        [0, 0],
        [1, 2],
        [15, 49],
        [63, view.byteLength - 1],
        [view.byteLength, view.byteLength],
      ])
        expect(await view.read(start, end)).toEqual(whole.subarray(start, end));
    }
  });
});

test("a backend finds the experts where their views say, whatever wrote the file", async () => {
  for (const rewrite of [
    () => {},
    toOllama,
    (pieces: GgufPieces) => fuseGateUp(pieces, "stacked"),
    (pieces: GgufPieces) => pieces.tensors.reverse(),
  ]) {
    const pieces = await tinyGguf();
    rewrite(pieces);
    const file = ggufBytes(pieces);
    const model = await openGgufBytes([file]);
    for (const name of ["gate_up_proj_blocks", "down_proj_blocks"]) {
      const view = model.tensor(`model.layers.1.mlp.experts.${name}`);
      expect(Buffer.compare(bytesInPlace(view, [file]), await view.read())).toBe(0);
    }
  }
});

describe("dense weights in fewer bits", () => {
  const golden = JSON.parse(
    readFileSync(new URL("../../../test/golden/gguf/blocks.json", import.meta.url), "utf8"),
  ).types;

  /** The model with its embedding in another type, of rows that are whole blocks. */
  async function withEmbedding(type: GgmlType): Promise<{ pieces: GgufPieces; values: Float32Array }> {
    const hiddenSize = 512;
    const config = { ...tinyConfig, hiddenSize };
    const pieces = await tinyGguf(config);
    const stored = new Uint8Array(Buffer.from(golden[type].stored, "base64"));
    const embedding = pieces.tensors.find(({ name }) => name === "token_embd.weight")!;
    embedding.type = type;
    embedding.bytes = new Uint8Array(Buffer.concat(Array.from({ length: 11 }, () => stored)));
    const decoded = new Float32Array(new Uint8Array(Buffer.from(golden[type].decoded, "base64")).buffer);
    return { pieces, values: Float32Array.from({ length: 11 * hiddenSize }, (_, i) => decoded[i % 512]) };
  }

  test.each(Object.keys(golden))(
    "%s: the values that ggml reads, exact in F32, rounded to nearest in BF16",
    async (type) => {
      const { pieces, values } = await withEmbedding(type as GgmlType);
      const name = "model.embed_tokens.weight";
      const exact = (await openGgufBytes([ggufBytes(pieces)], { decodeTo: "F32" })).tensor(name);
      expect(floatsOf(exact.dtype, await exact.read())).toEqual(values);
      const roundings: Rounding[] = [];
      const onRounding = (rounding: Rounding): void => void roundings.push(rounding);
      const rounded = (await openGgufBytes([ggufBytes(pieces)], { onRounding })).tensor(name);
      const read = floatsOf(rounded.dtype, await rounded.read());
      // bfloat16 has 8 significant bits
      for (const [i, value] of values.entries())
        expect(Math.abs(read[i] - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8);
      if (rounded.dtype === "BF16") expect(roundings[0]).toMatchObject({ tensor: name, to: "bf16" });
      // a range in the middle of a block
      expect(await exact.read(130, 1401)).toEqual((await exact.read()).slice(130, 1401));
    },
  );
});

test("experts in another type are rounded to MXFP4 when they are read, and that is said", async () => {
  const pieces = await tinyGguf();
  const down = pieces.tensors.find(({ name }) => name === "blk.0.ffn_down_exps.weight")!;
  const values = decodeBlocks("MXFP4", down.bytes);
  down.bytes = encodeQ8("F32", new Uint8Array(values.buffer)).encoded;
  down.type = "Q8_0";
  const roundings: Rounding[] = [];
  const model = await openGgufBytes([ggufBytes(pieces)], {
    onRounding: (rounding) => roundings.push(rounding),
  });
  const blocks = await model.tensor("model.layers.0.mlp.experts.down_proj_blocks").read();
  const scales = await model.tensor("model.layers.0.mlp.experts.down_proj_scales").read();
  const code = (i: number): number => (blocks[i >> 1] >> (4 * (i & 1))) & 15;
  const magnitudes = [0, 0.5, 1, 1.5, 2, 3, 4, 6];
  const stored = Float32Array.from({ length: values.length }, (_, i) => {
    const magnitude = magnitudes[code(i) & 7] * 2 ** (scales[i >> 5] - 127);
    return code(i) & 8 ? -magnitude : magnitude;
  });
  // Q8_0's steps are far finer than MXFP4's, so all but the values at a tie come back.
  const kept = stored.filter((value, i) => Math.abs(value - values[i]) <= Math.abs(values[i]) * 1e-6).length;
  expect(kept / values.length).toBeGreaterThan(0.95);
  expect(roundings[0]).toMatchObject({ to: "mxfp4", tensor: "model.layers.0.mlp.experts.down_proj" });
  expect(roundings.reduce((sum, rounding) => sum + rounding.values, 0)).toBe(values.length);
});

describe("a file that is not this model says so", () => {
  const refuse = async (
    damage: (pieces: GgufPieces) => void,
    code: string,
    message: RegExp,
  ): Promise<void> => {
    const pieces = await tinyGguf();
    damage(pieces);
    const error = await errorOf(() => openGgufBytes([ggufBytes(pieces)]));
    expect([error.code, error.message]).toEqual([`checkpoint/${code}`, expect.stringMatching(message)]);
    expect(error.hint).toBeTruthy();
  };
  const set = (pieces: GgufPieces, key: string, value: number): void =>
    void pieces.metadata.set(key, { type: "u32", value });

  test("another architecture, and keys that contradict the tensors", async () => {
    const llama = { type: "string", value: "llama" } as const;
    await refuse(
      ({ metadata }) => void metadata.set("general.architecture", llama),
      "bad-config",
      /general\.architecture is "llama"/,
    );
    await refuse(
      (p) => set(p, "gpt-oss.block_count", 3),
      "missing-tensor",
      /"blk\.2\.attn_norm\.weight" is missing/,
    );
    await refuse(
      (p) => set(p, "gpt-oss.block_count", 1),
      "bad-config",
      /says 1 layers, but there is .*"blk\.1\./,
    );
    await refuse((p) => set(p, "gpt-oss.expert_count", 4), "wrong-shape", /is \[3,/);
    await refuse(
      (p) => set(p, "gpt-oss.embedding_length", 48),
      "bad-config",
      /embedding_length is 48; expected a mul/,
    );
    await refuse(
      (p) => set(p, "gpt-oss.attention.head_count_kv", 3),
      "bad-config",
      /head_count_kv is 3; .* divisor/,
    );
    await refuse(
      ({ metadata }) => void metadata.delete("gpt-oss.context_length"),
      "bad-config",
      /context_length is missing/,
    );
    await refuse(
      ({ metadata }) => void metadata.set("gpt-oss.rope.scaling.type", { type: "string", value: "linear" }),
      "bad-config",
      /rope\.scaling\.type is "linear"; expected "yarn"/,
    );
    await refuse(
      ({ metadata }) => void metadata.delete("tokenizer.ggml.tokens"),
      "bad-config",
      /tokenizer\.ggml\.tokens is missing/,
    );
  });

  test("a missing tensor, and one of a type that nobody here can read", async () => {
    await refuse(
      (pieces) => void take(pieces, "blk.1.attn_sinks.weight"),
      "missing-tensor",
      /"blk\.1\.attn_sinks\.weight" is missing/,
    );
    const pieces = await tinyGguf();
    const file = ggufBytes(pieces);
    // The type follows name, rank and two sizes.
    const at = Buffer.from(file).indexOf("output.weight", Buffer.from(file).indexOf("output_norm.weight"));
    new DataView(file.buffer).setUint32(at + "output.weight".length + 4 + 16, 19, true); // IQ1_S
    const error = await errorOf(() => openGgufBytes([file]));
    expect([error.code, error.message]).toEqual([
      "checkpoint/wrong-dtype",
      expect.stringMatching(/"output\.weight" has ggml's storage type 19; those that can be read are F32,/),
    ]);
  });
});

test("what a GGUF file cannot say is refused when one is written", async () => {
  for (const [change, message] of [
    [{ swigluLimit: 5 }, /swiglu_limit is 5/],
    [{ slides: [true, true] }, /other than even layers slide/],
    [{ rope: { ...tinyConfig.rope, truncate: true } }, /YaRN's bounds/],
  ] as const) {
    const error = await errorOf(() => tinyGguf({ ...tinyConfig, ...change }));
    expect([error.code, error.message]).toEqual(["checkpoint/bad-config", expect.stringMatching(message)]);
  }
  const rope = { ...tinyConfig.rope, betaFast: 16, betaSlow: 2 };
  const other = await openGgufBytes([ggufBytes(await tinyGguf({ ...tinyConfig, rope }))]);
  expect(other.config.rope).toEqual(rope);
});
