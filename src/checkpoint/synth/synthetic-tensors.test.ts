import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bf16ToF32, mxfp4Scale, mxfp4Values, type TensorView } from "../../base/index.ts";
import { inventory, type ModelConfig, type Part, shapes, syntheticTensors } from "../index.ts";
import { tinyConfig } from "../testing/tiny-model.ts";

test("the same seed gives the same bytes in whatever pieces they are read; another seed gives others", async () => {
  const tensors = [...syntheticTensors(tinyConfig, 5).values()];
  const others = syntheticTensors(tinyConfig, 6);
  for (const tensor of tensors) {
    const whole = await tensor.read();
    expect(whole.length).toBe(tensor.byteLength);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.nat(whole.length), async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        expect(await tensor.read(start, end)).toEqual(whole.subarray(start, end));
      }),
      { seed: 3, numRuns: 20 },
    );
    if (whole.length > 64) expect(await others.get(tensor.name)!.read()).not.toEqual(whole);
  }
  const [one, two] = ["model.layers.0", "model.layers.1"].map(
    (layer) => `${layer}.mlp.experts.down_proj_blocks`,
  );
  const all = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  expect(await all.get(one)!.read()).not.toEqual(await all.get(two)!.read());
});

describe("weights that a forward pass can live with", () => {
  const config: ModelConfig = { ...shapes["gpt-oss-20b"], layers: 1, slides: [true], experts: 4 };
  const tensors = syntheticTensors(config, 1);
  const values = async (view: TensorView): Promise<number[]> => {
    const bytes = await view.read(0, Math.min(view.byteLength, 1 << 19));
    return Array.from(new Uint16Array(bytes.slice().buffer), bf16ToF32);
  };

  const expectedDeviation = (name: string, part: Part, shape: readonly number[]): number => {
    if (part === "norm") return 0.1;
    if (name.endsWith("bias")) return 0.02;
    if (part === "embedding" || name.endsWith("sinks")) return 1;
    const gain = part === "unembedding" ? 4 : name.includes("o_proj") ? Math.SQRT1_2 : 1; // 1/√(2 · one layer)
    return gain / Math.sqrt(shape[1]);
  };

  test("dense: finite, mean and deviation by kind", async () => {
    for (const { name, dtype, shape, part } of inventory(config)) {
      if (dtype !== "BF16") continue;
      const sample = await values(tensors.get(name)!);
      const mean = sample.reduce((sum, value) => sum + value, 0) / sample.length;
      const deviation = Math.sqrt(
        sample.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sample.length,
      );
      const expected = expectedDeviation(name, part, shape);
      const centre = part === "norm" ? 1 : 0;
      // Five standard errors of a mean and of a deviation; bf16 rounding and the table's size are far below.
      const error = 5 / Math.sqrt(sample.length);
      expect([name, Math.abs(mean - centre) < error * expected]).toEqual([name, true]);
      expect([name, Math.abs(deviation / expected - 1) < error]).toEqual([name, true]);
    }
  });

  test("experts: every nibble as often as any other, rows of norm near 1", async () => {
    for (const name of ["gate_up_proj", "down_proj"]) {
      const prefix = `model.layers.0.mlp.experts.${name}`;
      const scales = await tensors.get(`${prefix}_scales`)!.read(0, 90 * 512);
      const blocks = await tensors.get(`${prefix}_blocks`)!.read(0, scales.length * 16);
      const counts = new Array<number>(16).fill(0);
      let squares = 0;
      for (const [block, exponent] of scales.entries())
        for (let i = 0; i < 16; i++)
          for (const nibble of [blocks[block * 16 + i] & 15, blocks[block * 16 + i] >> 4]) {
            counts[nibble]++;
            squares += (mxfp4Values[nibble] * mxfp4Scale(exponent)) ** 2;
          }
      const expected = (scales.length * 32) / 16;
      const chiSquare = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
      expect(chiSquare).toBeLessThan(45); // 15 degrees of freedom: exceeded once in 10,000 seeds
      const rowNorm = Math.sqrt(squares / 512);
      // The middle exponent is a power of two, so within a factor √2 of what is wanted.
      expect(rowNorm).toBeGreaterThan(1 / 1.45);
      expect(rowNorm).toBeLessThan(1.45);
      expect(new Set(scales).size).toBe(3);
    }
  });

  test("neighbouring words and bits are independent", async () => {
    const bytes = await tensors.get("model.layers.0.mlp.experts.down_proj_blocks")!.read(0, 1 << 20);
    const words = new Uint32Array(bytes.slice().buffer);
    for (const distance of [1, 2, 90 * 4])
      for (let bit = 0; bit < 32; bit++) {
        let equal = 0;
        for (let i = distance; i < words.length; i++)
          equal += ~((words[i] ^ words[i - distance]) >>> bit) & 1;
        // Half of 2^18 pairs, within 5 standard deviations (√n / 2).
        expect(Math.abs(equal - words.length / 2)).toBeLessThan(5 * 256 + distance);
      }
  });
});

test("a seed names the same weights on every machine and in every version", async () => {
  const tensors = syntheticTensors(shapes["gpt-oss-20b"], 1);
  const hex = async (name: string) => Buffer.from(await tensors.get(name)!.read(16, 24)).toString("hex");
  expect(await hex("lm_head.weight")).toBe("f33d403c93bc86bd");
  expect(await hex("model.layers.23.mlp.experts.down_proj_blocks")).toBe("86aa57b4a9ebc18d");
  expect(await hex("model.layers.23.mlp.experts.down_proj_scales")).toBe("7777777677767878");
  expect(await hex("model.layers.0.input_layernorm.weight")).toBe("4b3f6b3f803f8b3f");
});
