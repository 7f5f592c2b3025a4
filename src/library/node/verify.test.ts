// `verify` passes a good model, and each kind of damage fails the check that is there for it.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { get_encoding } from "tiktoken";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Backend } from "../../backend/index.ts";
import { createReferenceBackend } from "../../backend/reference/index.ts";
import type { TensorView } from "../../base/index.ts";
import type { Checkpoint } from "../../checkpoint/index.ts";
import { openCheckpoint } from "../../checkpoint/node/index.ts";
import { addToCache, hubHash } from "../../checkpoint/testing/model-stores.ts";
import { renderForCompletion } from "../../harmony/index.ts";
import { loadModel } from "../../model/index.ts";
import { o200kHarmony, tokenizerFromJson } from "../../tokenizer/index.ts";
import { logitsOf } from "../score.ts";
import { backendsCheck, cacheCheck } from "../verify/backend-checks.ts";
import type { Check } from "../verify/check.ts";
import { scanTensors, tensorCheck } from "../verify/tensor-statistics.ts";
import { harmonyCheck, tokenizerCheck } from "../verify/text-checks.ts";
import { harmonyVector, tokenizerVectors } from "../verify/vectors.ts";
import { type Walk, walk } from "../verify/walk.ts";
import { modelPath } from "./models.ts";
import { verify } from "./verify.ts";

const micro = fileURLToPath(new URL("../../../models/micro", import.meta.url));
const rendered = fileURLToPath(new URL("../../../test/golden/harmony/rendered.json", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "gpt-oss-verify-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

async function verified(name?: string): Promise<Record<string, Check>> {
  const checks: Record<string, Check> = {};
  for await (const check of verify(name)) checks[check.name] = check;
  return checks;
}

let copies = 0;
/** The embedded model as `pull` leaves it: → its name, and its first weights, which may be damaged. */
async function pulledCopy(): Promise<{ name: string; weights: string }> {
  const cache = join(root, `cache-${copies++}`);
  addToCache(cache, { repository: "me/micro", from: micro, branch: "main", isCopied: true });
  vi.stubEnv("HF_HUB_CACHE", cache);
  return {
    name: "me/micro",
    weights: realpathSync(join(await modelPath("me/micro"), "model-00000-of-00002.safetensors")),
  };
}

describe("a good model passes", () => {
  test("the embedded one, with the perplexity that its training left it", async () => {
    const checks = await verified();
    for (const name of ["layout", "tensors", "tokenizer", "harmony", "cache", "perplexity"])
      expect(checks[name], name).toMatchObject({ status: "passed" });
    expect(checks.backends.status).not.toBe("failed");
    expect(checks.files).toMatchObject({ status: "skipped", detail: expect.stringMatching(/^no hashes/) });
    expect(checks.perplexity.figures.perplexity).toBeGreaterThan(1);
    expect(checks.perplexity.figures.perplexity).toBeLessThan(1.6);
  });

  test("in the cache of Hugging Face's tools all files have the hashes under which they were published", async () => {
    const { name } = await pulledCopy();
    expect((await verified(name)).files).toMatchObject({
      status: "passed",
      figures: { files: 6, checked: 6 },
    });
  });
});

describe("damage is found:", () => {
  test("in a folder that `hf download --local-dir` made, by the hashes that it noted", async () => {
    const folder = join(root, "local");
    const notes = join(folder, ".cache/huggingface/download");
    mkdirSync(notes, { recursive: true });
    for (const file of readdirSync(micro)) {
      const bytes = readFileSync(join(micro, file));
      writeFileSync(join(folder, file), bytes);
      writeFileSync(join(notes, `${file}.metadata`), `${"0".repeat(40)}\n${hubHash(bytes)}\n1750000000.5\n`);
    }
    writeFileSync(join(folder, "mine.txt"), "not the hub's");
    expect((await verified(folder)).files).toMatchObject({
      status: "passed",
      detail: "6 have the published hashes; 1 without a recorded hash",
    });
    const weights = join(folder, "model-00001-of-00002.safetensors");
    const bytes = readFileSync(weights);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(weights, bytes);
    expect((await verified(folder)).files).toMatchObject({
      status: "failed",
      figures: { wrong: ["model-00001-of-00002.safetensors"] },
    });
  });

  test("a file of which only the link is left", async () => {
    const { name, weights } = await pulledCopy();
    const path = await modelPath(name);
    rmSync(weights);
    const { files } = await verified(path);
    expect(files).toMatchObject({ status: "failed", figures: { code: "checkpoint/not-found" } });
  });

  test("one bit of one file", async () => {
    const { name, weights } = await pulledCopy();
    const bytes = readFileSync(weights);
    bytes[bytes.length >> 1] ^= 1;
    writeFileSync(weights, bytes);
    expect((await verified(name)).files).toMatchObject({
      status: "failed",
      detail: "not what was published: model-00000-of-00002.safetensors",
    });
  });

  test("a file that was cut", async () => {
    const { name, weights } = await pulledCopy();
    truncateSync(weights, 1_000_000);
    const checks = await verified(name);
    expect(checks.files.status).toBe("failed");
    expect(checks.layout).toMatchObject({ status: "failed", figures: { code: "checkpoint/truncated" } });
    expect(checks.tensors).toBeUndefined();
  });

  test("a hole in a file: zeros where experts were", async () => {
    const folder = join(root, "hole");
    mkdirSync(folder);
    for (const file of readdirSync(micro)) writeFileSync(join(folder, file), readFileSync(join(micro, file)));
    const { location, byteLength } = checkpoint.tensor("model.layers.0.mlp.experts.down_proj_blocks");
    const path = location!.path.replace(micro, folder);
    const bytes = readFileSync(path);
    bytes.fill(0, location!.offset, location!.offset + byteLength / 16);
    writeFileSync(path, bytes);
    const { tensors } = await verified(folder);
    expect(tensors).toMatchObject({ status: "failed", figures: { deadExperts: ["0.0"] } });
  });

  test("a model without its tokenizer", async () => {
    const { tokenizer } = await verified("test/golden/micro-original");
    expect(tokenizer).toMatchObject({ status: "failed", figures: { code: "library/no-tokenizer" } });
  });
});

let checkpoint: Checkpoint;
beforeAll(async () => {
  checkpoint = await openCheckpoint(micro);
});
afterAll(() => checkpoint.close());

/** The checkpoint with one tensor's bytes changed. */
function changed(name: string, change: (bytes: Uint8Array) => void): Checkpoint {
  const read = async (view: TensorView, start = 0, end = view.byteLength): Promise<Uint8Array> => {
    const bytes = await view.read();
    change(bytes);
    return bytes.slice(start, end);
  };
  return {
    ...checkpoint,
    tensor: (wanted) => {
      const view = checkpoint.tensor(wanted);
      return wanted === name ? { ...view, read: (start, end) => read(view, start, end) } : view;
    },
  };
}

describe("the statistics of tensors", () => {
  const check = async (name: string, change: (bytes: Uint8Array) => void): Promise<Check> =>
    tensorCheck(await scanTensors(changed(name, change)));

  test("count NaN and infinities in dense tensors", async () => {
    const found = await check("model.layers.1.self_attn.q_proj.weight", (bytes) => {
      bytes.set([0xc0, 0x7f], 10); // NaN
      bytes.set([0x80, 0xff], 20); // -infinity
    });
    expect(found).toMatchObject({
      status: "failed",
      figures: { nonFinite: 2, nonFiniteTensors: ["model.layers.1.self_attn.q_proj.weight"] },
    });
  });

  test("count scales that stand for NaN, and give the range of the others", async () => {
    const scales = "model.layers.2.mlp.experts.gate_up_proj_scales";
    expect((await check(scales, (bytes) => bytes.set([255], 5))).figures).toMatchObject({ nonFinite: 1 });
    const { status, figures } = await check(scales, (bytes) => bytes.set([140, 100], 5));
    expect([status, figures.smallestScaleExponent, figures.largestScaleExponent]).toEqual([
      "passed",
      -27,
      13,
    ]);
  });

  test("name tensors that are all zero, biases apart, whatever the sign of the zeros", async () => {
    const zero = (bytes: Uint8Array): void => void bytes.fill(0).set([0, 0x80], 4);
    const name = "model.layers.0.self_attn.o_proj";
    expect((await check(`${name}.weight`, zero)).figures.zeroTensors).toEqual([`${name}.weight`]);
    expect((await check(`${name}.bias`, zero)).status).toBe("passed");
  });

  test("count rows of experts that are zero, of which a few are usual", async () => {
    const before = (await check("none", () => {})).figures.zeroExpertRows as number;
    const rowBytes = (checkpoint.config.hiddenSize / 32) * 16;
    const found = await check("model.layers.3.mlp.experts.gate_up_proj_blocks", (bytes) =>
      bytes.fill(0x88, 0, 3 * rowBytes),
    );
    expect(found).toMatchObject({ status: "passed", figures: { zeroExpertRows: before + 3 } });
  });

  test("give the range of the norms", async () => {
    const { figures } = await check("model.norm.weight", (bytes) => bytes.set([0x20, 0x41], 0));
    expect(figures.largestNorm).toBe(10);
  });
});

describe("a walk", () => {
  const tokens = harmonyTokens().slice(0, 80);
  const reference = async (): Promise<Backend> => createReferenceBackend();
  const walkOn = (create: () => Promise<Backend>): Promise<Walk> =>
    walk(checkpoint, { tokens, scoredFrom: 1, create, createReference: reference, sampledLayers: [0, 3] });
  const context = { backend: "broken", layers: 4, cache: "bf16" } as const;

  /** A reference backend of which one operation is another. */
  const broken = (change: (backend: Backend) => Partial<Backend>) => async (): Promise<Backend> => {
    const backend = createReferenceBackend();
    return { ...backend, ...change(backend) };
  };

  test("one layer at a time gives the loss of the whole model", async () => {
    const backend = createReferenceBackend();
    const model = await loadModel(checkpoint, backend);
    const losses: number[] = [];
    for await (const logits of logitsOf(model, tokens)) {
      const width = model.config.vocabularySize;
      for (let row = 0; row * width < logits.length && losses.length < tokens.length - 1; row++) {
        const values = logits.subarray(row * width, (row + 1) * width);
        const total = values.reduce((sum, value) => sum + Math.exp(value), 0);
        losses.push(Math.log(total) - values[tokens[losses.length + 1]]);
      }
    }
    await backend.close();
    const { loss } = await walkOn(reference);
    // Both add in f64, in another order.
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b) / losses.length, 6);
  });

  test("finds nothing where nothing is broken", async () => {
    const good = await walkOn(reference);
    expect(backendsCheck(good, context)).toMatchObject({ status: "passed", figures: { largestError: 0 } });
    expect(cacheCheck(good, { ...context, backend: "reference" }).status).toBe("passed");
  });

  test("finds an attention that looks past its window", async () => {
    expect(tokens.length).toBeGreaterThan(checkpoint.config.slidingWindow);
    const found = await walkOn(
      broken((backend) => ({ attention: (options) => backend.attention({ ...options, window: undefined }) })),
    );
    expect(backendsCheck(found, context).status).toBe("failed");
  });

  test("finds a mixture that clamps elsewhere", async () => {
    const found = await walkOn(
      broken((backend) => ({ moe: (x, options) => backend.moe(x, { ...options, swigluLimit: 0.5 }) })),
    );
    expect(backendsCheck(found, context).status).toBe("failed");
  });

  test("finds a cache that single tokens read wrongly", async () => {
    const found = await walkOn(
      broken((backend) => ({
        attention: (options) =>
          options.q.rows === 1 ? backend.add(options.q, options.q) : backend.attention(options),
      })),
    );
    expect(cacheCheck(found, context).status).toBe("failed");
    expect(backendsCheck(found, context).status).toBe("passed");
  });
});

function harmonyTokens(): readonly number[] {
  const tokenizer = tokenizerFromJson(readFileSync(join(micro, "tokenizer.json"), "utf8"));
  return renderForCompletion(harmonyVector.conversation, tokenizer);
}

describe("the built-in vectors", () => {
  test("are tiktoken's and openai-harmony's", () => {
    const tiktoken = get_encoding("o200k_base");
    for (const [text, ids] of tokenizerVectors)
      expect([...tiktoken.encode_ordinary(text)], text).toEqual(ids);
    tiktoken.free();
    const goldens = JSON.parse(readFileSync(rendered, "utf8")) as { tokens: number[] }[];
    expect(goldens.map(({ tokens }) => tokens.join())).toContain(harmonyVector.tokens.join());
  });

  test("pass the built-in tokenizer, and fail one that is another", () => {
    const good = o200kHarmony();
    expect(tokenizerCheck(good, 201_088).status).toBe("passed");
    expect(harmonyCheck(good).status).toBe("passed");
    const swapped = {
      ...good,
      encode: (text: string) => good.encode(text).map((id) => (id === 4827 ? good.special.end : id)),
    };
    expect(tokenizerCheck(swapped, 201_088)).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/What is 47/),
    });
    const moved = { ...good, special: { ...good.special, channel: good.special.message } };
    expect(harmonyCheck(moved).status).toBe("failed");
    expect(tokenizerCheck(good, 200_000)).toMatchObject({
      status: "failed",
      detail: expect.stringMatching(/beyond/),
    });
  });
});
