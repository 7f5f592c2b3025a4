// Conversions in memory, on shapes that nobody chose.

import fc from "fast-check";
import { expect, test } from "vitest";
import { bf16ToF32 } from "../../base/index.ts";
import {
  bytesSource,
  type Checkpoint,
  type ConvertedFilesOptions,
  collectTensors,
  convertedFiles,
  createCheckpoint,
  type FileStream,
  inventory,
  type ModelConfig,
  type OnRounding,
  type Rounding,
  toGguf,
} from "../index.ts";
import { decodeMxfp4 } from "../numbers/mxfp4.ts";
import { floatsOf } from "../numbers/rows.ts";
import { openGgufBytes, tinyCheckpoint, tinyVocabulary } from "../testing/tiny-gguf.ts";
import { text, tinyConfig } from "../testing/tiny-model.ts";

async function bytesOf(file: FileStream): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of file.chunks()) parts.push(chunk);
  const bytes = new Uint8Array(Buffer.concat(parts));
  expect(bytes.length).toBe(file.byteLength);
  return bytes;
}

type Options = Partial<ConvertedFilesOptions>;

async function throughFiles(
  checkpoint: Checkpoint,
  layout: "huggingface" | "original",
  options: Options = {},
): Promise<Checkpoint> {
  const files = new Map<string, Uint8Array>();
  const target = { layout, experts: "mxfp4", tokenizerJson: undefined, ...options } as const;
  for (const file of convertedFiles(checkpoint, target)) files.set(file.name, await bytesOf(file));
  const json = (name: string) => ({ name, text: text(files.get(name)) });
  const weights = bytesSource("model.safetensors", files.get("model.safetensors")!);
  return createCheckpoint({
    ...(await collectTensors(new Map([["model.safetensors", weights]]))),
    path: layout,
    config: json("config.json"),
    generationConfig: json("generation_config.json"),
    tokenizer: undefined,
    onRounding: options.onRounding,
    close: async () => {},
  });
}

async function throughGguf(checkpoint: Checkpoint, onRounding?: OnRounding): Promise<Checkpoint> {
  const options = { name: "tiny", dense: "bf16", experts: "mxfp4", onRounding } as const;
  const file = await bytesOf(toGguf(checkpoint, tinyVocabulary(checkpoint.config), options));
  return openGgufBytes([file], { decodeTo: "F32", ...(onRounding && { onRounding }) });
}

const configs: fc.Arbitrary<ModelConfig> = fc
  .record({
    layers: fc.integer({ min: 1, max: 3 }),
    hiddenSize: fc.integer({ min: 1, max: 4 }).map((blocks) => blocks * 32),
    intermediateSize: fc.integer({ min: 1, max: 4 }).map((blocks) => blocks * 32),
    experts: fc.integer({ min: 1, max: 5 }),
    kvHeads: fc.integer({ min: 1, max: 3 }),
    headDim: fc.integer({ min: 1, max: 9 }).map((half) => half * 2),
    vocabularySize: fc.integer({ min: 6, max: 70 }),
  })
  .map((shape) => ({
    ...tinyConfig,
    ...shape,
    expertsPerToken: 1,
    heads: shape.kvHeads * 2,
    slides: Array.from({ length: shape.layers }, (_, layer) => layer % 2 === 0),
  }));

test("there and back again through every layout: every tensor of any shape is the same bytes", async () => {
  const layout = fc.constantFrom("huggingface", "original", "gguf" as const);
  const path = fc.array(layout, { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(configs, path, async (config, layouts) => {
      const roundings: Rounding[] = [];
      const onRounding: OnRounding = (rounding) => roundings.push(rounding);
      const first = await tinyCheckpoint(config);
      let current = first;
      for (const to of [...layouts, "huggingface"] as const)
        current =
          to === "gguf"
            ? await throughGguf(current, onRounding)
            : await throughFiles(current, to, { onRounding });
      expect(current.config).toEqual(config);
      for (const { name } of inventory(config)) {
        const [before, after] = [first.tensor(name), current.tensor(name)];
        expect([name, after.dtype, after.shape]).toEqual([name, before.dtype, before.shape]);
        expect([name, Buffer.compare(await after.read(), await before.read())]).toEqual([name, 0]);
      }
      expect(roundings.filter(({ errorSquares }) => errorSquares > 0)).toEqual([]);
    }),
    { seed: 1, numRuns: 40 },
  );
});

test("experts in BF16 hold every value, transposed, and come back as the same values", async () => {
  const valuesOf = async (model: Checkpoint, matrix: string): Promise<number[]> => {
    const [blocks, scales] = [model.tensor(`${matrix}_blocks`), model.tensor(`${matrix}_scales`)];
    const mxfp4 = { blocks: await blocks.read(), scales: await scales.read() };
    return Array.from(decodeMxfp4(mxfp4, { blocksPerRow: scales.shape[2] }), bf16ToF32);
  };
  await fc.assert(
    fc.asyncProperty(configs, async (config) => {
      const first = await tinyCheckpoint(config);
      const roundings: Rounding[] = [];
      const onRounding: OnRounding = (rounding) => roundings.push(rounding);
      const dense = await throughFiles(first, "huggingface", { experts: "bf16", onRounding });
      for (const part of ["gate_up_proj", "down_proj"]) {
        const matrix = `model.layers.0.mlp.experts.${part}`;
        const view = dense.files.find(({ name }) => name === matrix)!;
        const values = await valuesOf(first, matrix);
        const [experts, cols, rows] = view.shape;
        const stored = floatsOf("BF16", await view.read());
        for (let expert = 0; expert < experts; expert++)
          for (const [row, col] of [
            [0, 0],
            [rows - 1, cols - 1],
            [1, cols - 2],
          ]) {
            const at = expert * rows * cols;
            expect(stored[at + col * rows + row]).toBe(values[at + row * cols + col]);
          }
        expect(await valuesOf(dense, matrix)).toEqual(values);
      }
      expect(roundings.filter(({ errorSquares }) => errorSquares > 0)).toEqual([]);
    }),
    { seed: 2, numRuns: 15 },
  );
});

test("a fine-tune in F32 is rounded to BF16, experts to MXFP4, and both losses are said", async () => {
  const first = await tinyCheckpoint();
  const noisy: Checkpoint = {
    ...first,
    tensor: (name) => {
      const view = first.tensor(name);
      if (view.dtype !== "BF16") return view;
      const byteLength = view.byteLength * 2;
      const read = async (start = 0, end = byteLength): Promise<Uint8Array> => {
        const values = floatsOf("BF16", await view.read(start / 2, end / 2));
        return new Uint8Array(values.map((value) => value * 1.001).buffer);
      };
      return { ...view, dtype: "F32", byteLength, read };
    },
  };
  const roundings: Rounding[] = [];
  const onRounding: OnRounding = (rounding) => roundings.push(rounding);
  await throughFiles(noisy, "huggingface", { onRounding });
  const norm = roundings.find(({ tensor }) => tensor === "model.norm.weight")!;
  expect(norm).toMatchObject({ to: "bf16", values: tinyConfig.hiddenSize });
  // bfloat16's steps are 2^-7 of a value at most; rounding errs by half of one.
  expect(Math.sqrt(norm.errorSquares / norm.squares)).toBeLessThan(2 ** -8);
  expect(norm.errorSquares).toBeGreaterThan(0);
});
