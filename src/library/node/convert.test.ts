import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { forEachVariant } from "../../backend/native/testing/for-each-variant.ts";
import { GptOssError } from "../../base/index.ts";
import { type Checkpoint, inventory } from "../../checkpoint/index.ts";
import { openCheckpoint } from "../../checkpoint/node/index.ts";
import { logitsOf } from "../score.ts";
import { convert, load, loadWeights, tokenizerOf } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpt-oss-convert-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);
const micro = "models/micro";

async function withOpen<T>(path: string, work: (checkpoint: Checkpoint) => Promise<T>): Promise<T> {
  const checkpoint = await openCheckpoint(path);
  try {
    return await work(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

async function expectSameTensors(one: string, other: string): Promise<void> {
  await withOpen(one, (a) =>
    withOpen(other, async (b) => {
      expect({ ...b.config, stopTokens: a.config.stopTokens }).toEqual(a.config);
      for (const { name } of inventory(a.config)) {
        const [x, y] = [a.tensor(name), b.tensor(name)];
        expect([name, y.dtype, y.shape]).toEqual([name, x.dtype, x.shape]);
        expect([name, Buffer.compare(await x.read(), await y.read())]).toEqual([name, 0]);
      }
    }),
  );
}

async function greedy(path: string): Promise<string> {
  const model = await load({ model: path, backend: "reference" });
  try {
    const answer = await model.respond("What is the capital of France?", {
      temperature: 0,
      effort: "none",
      currentDate: "2025-06-28",
      maxTokens: 20,
    });
    return answer.text;
  } finally {
    await model.close();
  }
}

describe("the embedded model in every layout", () => {
  test("there and back again, every tensor is the same bytes, and nothing was rounded", async () => {
    const steps = [
      { to: "gguf", out: at("1.gguf") },
      { to: "original", out: at("2") },
      { to: "gguf", out: at("3.gguf") },
      { to: "huggingface", out: at("4") },
    ] as const;
    let model = micro;
    for (const step of steps) {
      const { rounded } = await convert({ model, ...step });
      expect(rounded).toEqual([]);
      model = step.out;
    }
    await expectSameTensors(micro, at("4"));
    await expectSameTensors("test/golden/micro-original", at("2"));
    await expectSameTensors(at("1.gguf"), at("3.gguf"));
    const published = JSON.parse(readFileSync(join(micro, "config.json"), "utf8"));
    const config = JSON.parse(readFileSync(at("4/config.json"), "utf8"));
    delete published.pad_token_id; // for training; nothing that runs a model reads it
    for (const key of Object.keys(published)) expect([key, config[key]]).toEqual([key, published[key]]);
  });

  test("the same greedy text, and the same tokens for any text", async () => {
    await convert({ model: micro, to: "gguf", out: at("micro.gguf") });
    await convert({ model: micro, to: "original", out: at("original") });
    await convert({ model: at("micro.gguf"), to: "huggingface", out: at("hf") });
    const expected = await greedy(micro);
    expect(expected).toContain("Paris");
    for (const path of [at("micro.gguf"), at("original"), at("hf")])
      expect([path, await greedy(path)]).toEqual([path, expected]);
    const text = "Ünïcode, 漢字, 12345 and\n\n   code(x) { } <|end|>";
    const tokens = await withOpen(micro, async (model) => tokenizerOf(model).encode(text));
    for (const path of [at("micro.gguf"), at("hf")]) {
      const own = await withOpen(path, async (model) => {
        const tokenizer = tokenizerOf(model);
        return { encoded: tokenizer.encode(text), decoded: tokenizer.decode(tokens) };
      });
      expect(own).toEqual({ encoded: tokens, decoded: text });
    }
  });

  test("what Python's tools need beside the weights goes along, the chat template through GGUF files too", async () => {
    const template = "{# harmony #}{{ messages }} \u00fc";
    const companions = {
      "chat_template.jinja": template,
      "tokenizer_config.json": '{"tokenizer_class": "PreTrainedTokenizerFast"}',
      "special_tokens_map.json": "{}",
    };
    cpSync(micro, at("published"), { recursive: true });
    for (const [name, text] of Object.entries(companions)) writeFileSync(join(at("published"), name), text);
    await convert({ model: at("published"), to: "original", out: at("original") });
    await convert({ model: at("original"), to: "huggingface", experts: "bf16", out: at("for-tuning") });
    for (const [name, text] of Object.entries(companions))
      expect(readFileSync(join(at("for-tuning"), name), "utf8")).toBe(text);
    await convert({ model: at("for-tuning"), to: "gguf", out: at("x.gguf") });
    await convert({ model: at("x.gguf"), to: "huggingface", out: at("back") });
    expect(readFileSync(at("back/chat_template.jinja"), "utf8")).toBe(template);
    // As repositories had it before it was a file of its own.
    rmSync(join(at("back"), "chat_template.jinja"));
    writeFileSync(join(at("back"), "tokenizer_config.json"), JSON.stringify({ chat_template: template }));
    await convert({ model: at("back"), to: "gguf", out: at("y.gguf") });
    expect(await withOpen(at("y.gguf"), (checkpoint) => checkpoint.companions())).toEqual([
      { name: "chat_template.jinja", text: template },
    ]);
  });

  test("8-bit dense weights: the loss is said for each tensor, and converting again loses nothing more", async () => {
    const { rounded } = await convert({ model: micro, to: "gguf", dense: "q8_0", out: at("q8.gguf") });
    // Every attention matrix, the embedding and the unembedding.
    expect(rounded.length).toBe(4 * 4 + 2);
    for (const { tensor, to, relativeError } of rounded) {
      expect([tensor, to]).toEqual([tensor, "q8_0"]);
      // A step is 1/127 of a block's largest value, which is 2 to 3 times the usual one; rounding errs by step / √12.
      expect(relativeError).toBeGreaterThan(0.002);
      expect(relativeError).toBeLessThan(0.01);
    }
    await convert({ model: at("q8.gguf"), to: "gguf", dense: "q8_0", out: at("again.gguf") });
    await expectSameTensors(at("q8.gguf"), at("again.gguf"));
  });

  test("BF16 experts, as Transformers saves them: exact, and every value comes back when they are quantised", async () => {
    const there = await convert({ model: micro, to: "huggingface", experts: "bf16", out: at("bf16") });
    expect(there.rounded).toEqual([]);
    const config = JSON.parse(readFileSync(at("bf16/config.json"), "utf8"));
    expect([config.quantization_config, config.torch_dtype]).toEqual([undefined, "bfloat16"]);
    const back = await convert({ model: at("bf16"), to: "gguf", out: at("back.gguf") });
    expect(back.rounded).toEqual([]);
    const dequantised = await convert({ model: micro, to: "gguf", experts: "bf16", out: at("bf16.gguf") });
    expect(dequantised.rounded).toEqual([]);
    const expected = await greedy(micro);
    for (const path of [at("bf16"), at("back.gguf"), at("bf16.gguf")])
      expect([path, await greedy(path)]).toEqual([path, expected]);
  });
});

forEachVariant((kernels, { best }) => {
  if (!best) return;
  test(`the native backend (${kernels}) computes on a GGUF file where it lies, as on safetensors`, async () => {
    await convert({ model: micro, to: "gguf", out: at("micro.gguf") });
    const tokens = [3, 141, 59, 26, 53, 58, 97, 93];
    const run = async (path: string) => {
      const { model, close } = await loadWeights(path, { backend: "native" });
      try {
        const { value } = await logitsOf(model, tokens).next();
        return { logits: value as Float32Array, bytes: model.backend.usage().bytes };
      } finally {
        await close();
      }
    };
    const [expected, got] = [await run(micro), await run(at("micro.gguf"))];
    const worst = Math.max(...got.logits.map((logit, i) => Math.abs(logit - expected.logits[i])));
    const largest = Math.max(...expected.logits.map(Math.abs));
    // Products are the same; sums of floats are formed in another order, and what is near a step of 8 bits may take it.
    // Queries in bfloat16 have steps too, of 2^-8 at most: seen 7e-4.
    expect(worst).toBeLessThan((kernels === "avx512bf16" ? 2e-3 : 1e-4) * largest);
    expect(got.bytes).toBeLessThan(1.1 * expected.bytes); // nothing was copied but interleaved biases
  });
});

describe("what cannot be done is said before anything is written", () => {
  const refuse = async (options: Parameters<typeof convert>[0], code: string, message: RegExp) => {
    const error = await convert(options).catch((error: unknown) => error);
    if (!GptOssError.isInstance(error)) throw error;
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
    expect(readdirSync(folder)).toEqual([]);
  };

  test("options that a layout cannot hold, and a GGUF file that is a folder", async () => {
    const option = "library/bad-option";
    await refuse({ model: micro, to: "gguf", out: at("x") }, option, /one file/);
    await refuse({ model: micro, to: "original", dense: "q8_0", out: at("x") }, option, /no 8-bit dense/);
    await refuse(
      { model: micro, to: "original", experts: "bf16", out: at("x") },
      option,
      /MXFP4 experts only/,
    );
  });

  test("a file that is there is not overwritten", async () => {
    await convert({ model: micro, to: "gguf", out: at("x.gguf") });
    const before = readFileSync(at("x.gguf"));
    const error = await convert({ model: micro, to: "gguf", out: at("x.gguf") }).catch((error) => error);
    expect(error.code).toBe("checkpoint/exists");
    expect(readFileSync(at("x.gguf")).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(["x.gguf"]);
  });
});

test("interrupted: nothing is left behind", async () => {
  const controller = new AbortController();
  const interrupted = convert({
    model: micro,
    to: "gguf",
    dense: "q8_0",
    out: at("out/x.gguf"),
    signal: controller.signal,
    onPlan: ({ totalBytes }) => {
      expect(totalBytes).toBeGreaterThan(1e6);
      setTimeout(() => controller.abort(), 1);
    },
  });
  await expect(interrupted).rejects.toThrow(/abort/i);
  expect(existsSync(at("out"))).toBe(false);
});
