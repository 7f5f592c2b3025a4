// Models by name, in a cache and a store made for the test; the files are the embedded model's.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { addToCache, addToOllama } from "../../checkpoint/testing/model-stores.ts";
import { errorOf } from "../../checkpoint/testing/tiny-model.ts";
import { convert } from "./convert.ts";
import { load } from "./load.ts";
import { listModels, modelPath, openModel } from "./models.ts";

const micro = fileURLToPath(new URL("../../../models/micro", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "gpt-oss-models-"));
const gguf = join(root, "micro.gguf");
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

let count = 0;
/** An empty cache and an empty store, which the process's environment names. */
function emptyPlaces(): { cache: string; store: string } {
  const cache = join(root, String(count), "hub");
  const store = join(root, String(count++), "ollama");
  vi.stubEnv("HF_HUB_CACHE", cache);
  vi.stubEnv("OLLAMA_MODELS", store);
  return { cache, store };
}

beforeAll(async () => {
  await convert({ model: micro, to: "gguf", out: gguf });
});

const isWeight = (file: string): boolean => file.endsWith(".safetensors");

describe("a model is found by", () => {
  test("no name, and `embedded`", async () => {
    expect(await modelPath(undefined)).toBe(micro);
    expect(await modelPath("embedded")).toBe(micro);
  });

  test("the path of a folder or a file, wherever else the name could lead", async () => {
    emptyPlaces();
    expect(await modelPath(micro)).toBe(micro);
    expect(await modelPath("models/micro")).toBe("models/micro");
    const { layout, close } = await openModel(gguf);
    await close();
    expect(layout).toBe("gguf");
    expect((await errorOf(() => openModel("./nowhere"))).code).toBe("checkpoint/not-found");
    expect((await errorOf(() => openModel("nowhere.gguf"))).code).toBe("checkpoint/not-found");
  });

  test("a Hugging Face id, with and without its revision, and by its commit", async () => {
    const { cache } = emptyPlaces();
    const main = addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro, branch: "main" });
    const old = addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro, branch: "v1" });
    const pull = addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro, branch: "refs/pr/3" });
    for (const name of ["openai/gpt-oss-20b", "openai/gpt-oss-20b@main", `openai/gpt-oss-20b@${main}`, "20b"])
      expect(await modelPath(name), name).toMatch(new RegExp(`snapshots/${main}$`));
    expect(await modelPath("openai/gpt-oss-20b@v1")).toMatch(old);
    expect(await modelPath("openai/gpt-oss-20b@refs/pr/3")).toMatch(pull);
    expect((await errorOf(() => modelPath("openai/gpt-oss-20b@v2"))).code).toBe("checkpoint/not-pulled");
  });

  test("a Hugging Face id whose only revision has no branch", async () => {
    const { cache } = emptyPlaces();
    const commit = addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro });
    for (const name of ["20b", "openai/gpt-oss-20b"]) expect(await modelPath(name)).toMatch(commit);
  });

  test("a repository of one GGUF file", async () => {
    const { cache } = emptyPlaces();
    addToCache(cache, { repository: "ggml-org/gpt-oss-20b-GGUF", from: gguf, branch: "main" });
    const model = await load({ model: "gpt-oss-20b-gguf" });
    expect(model.info.layout).toBe("gguf");
    await model.close();
  });

  test("a name in Ollama's store, which gives the same answer as the model it was made of", async () => {
    const { store } = emptyPlaces();
    addToOllama(store, { name: "gpt-oss:20b", gguf });
    addToOllama(store, { name: "tuned:latest", gguf, namespace: "me" });
    const paths = await Promise.all(["20b", "gpt-oss:20b", "ollama:gpt-oss:20b"].map(modelPath));
    expect(new Set(paths).size).toBe(1);
    expect(await modelPath("ollama:me/tuned")).toBe(await modelPath("tuned:latest"));
    const ask = async (model: string): Promise<string> => {
      await using loaded = await load({ model, backend: "reference" });
      const settings = { effort: "low", temperature: 0, currentDate: "2025-06-28" } as const;
      return (await loaded.respond("What is 12 + 30?", settings)).text;
    };
    expect(await ask("ollama:gpt-oss:20b")).toBe(await ask("embedded"));
  });
});

describe("a name that finds nothing says what is near and what is here:", () => {
  test("mistyped", async () => {
    const { cache } = emptyPlaces();
    addToCache(cache, { repository: "me/tuned", from: micro, branch: "main" });
    const error = await errorOf(() => modelPath("gpt-os-20b"));
    expect(error.code).toBe("checkpoint/unknown-model");
    expect(error.hint).toBe("near: gpt-oss-20b, gpt-oss-120b; on this machine: embedded, me/tuned");
    expect((await errorOf(() => modelPath("me/tunet"))).hint).toMatch(/near: me\/tuned/);
    expect((await errorOf(() => modelPath(""))).code).toBe("checkpoint/unknown-model");
  });

  test("not pulled, or pulled in part", async () => {
    const { cache } = emptyPlaces();
    expect(await errorOf(() => modelPath("20b"))).toMatchObject({
      code: "checkpoint/not-pulled",
      hint: "gpt-oss pull openai/gpt-oss-20b fetches it",
    });
    addToCache(cache, { repository: "you/GPT-OSS-20b", from: micro, branch: "v1" });
    expect((await errorOf(() => modelPath("20b"))).hint).toMatch(/on this machine: you\/GPT-OSS-20b@v1$/);
    const only = (file: string): boolean => !isWeight(file) || file.includes("00000");
    addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro, only });
    const error = await errorOf(() => modelPath("20b"));
    expect(error.code).toBe("checkpoint/not-pulled");
    expect(error.message).toMatch(/only partly/);
  });

  test("ambiguous", async () => {
    const { cache } = emptyPlaces();
    for (const repository of ["me/tuned", "you/tuned"])
      addToCache(cache, { repository, from: micro, branch: "main" });
    const error = await errorOf(() => modelPath("tuned"));
    expect(error.code).toBe("checkpoint/ambiguous-name");
    expect(error.hint).toBe("say which: me/tuned, you/tuned");
    for (const branch of ["v1", "v2"]) addToCache(cache, { repository: "a/b", from: micro, branch });
    expect((await errorOf(() => modelPath("a/b"))).hint).toBe("say which: a/b@v1, a/b@v2");
  });

  test("not in Ollama's store, or damaged there", async () => {
    const { store } = emptyPlaces();
    const error = await errorOf(() => modelPath("ollama:gpt-oss:120b"));
    expect(error.code).toBe("checkpoint/unknown-model");
    expect(error.hint).toMatch(/^ollama pull gpt-oss:120b/);
    addToOllama(store, { name: "gpt-oss:20b", gguf });
    const manifest = join(store, "manifests/registry.ollama.ai/library/gpt-oss/20b");
    for (const text of [
      "not json",
      "{}",
      '{"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:../../x"}]}',
    ]) {
      writeFileSync(manifest, text);
      expect((await errorOf(() => modelPath("ollama:gpt-oss:20b"))).code, text).toBe("checkpoint/bad-index");
    }
    expect(await listModels()).toHaveLength(1);
  });
});

describe("the list of models", () => {
  test("has the embedded one alone where nothing else is", async () => {
    emptyPlaces();
    expect(await listModels()).toMatchObject([
      { name: "embedded", source: "embedded", opened: { layout: "huggingface" } },
    ]);
  });

  test("has whole and unfinished ones, of every layout, each by a name that finds it", async () => {
    const { cache, store } = emptyPlaces();
    addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro, branch: "main" });
    addToCache(cache, { repository: "openai/gpt-oss-20b", from: micro, branch: "v1" });
    addToCache(cache, { repository: "ggml-org/gpt-oss-20b-GGUF", from: gguf, branch: "main" });
    addToCache(cache, {
      repository: "me/half",
      from: micro,
      branch: "main",
      only: (file) => !file.includes("00001"),
    });
    addToCache(cache, {
      repository: "me/begun",
      from: micro,
      branch: "main",
      only: (file) => !isWeight(file),
    });
    addToOllama(store, { name: "gpt-oss:20b", gguf });
    const models = await listModels();
    expect(
      models.map(({ name, opened }) => [name, "problem" in opened ? "unfinished" : opened.layout]).sort(),
    ).toEqual([
      ["embedded", "huggingface"],
      ["ggml-org/gpt-oss-20b-GGUF", "gguf"],
      ["me/begun", "unfinished"],
      ["me/half", "unfinished"],
      ["ollama:gpt-oss:20b", "gguf"],
      ["openai/gpt-oss-20b", "huggingface"],
      ["openai/gpt-oss-20b@v1", "huggingface"],
    ]);
    for (const { name, opened, path, bytes } of models) {
      if ("problem" in opened) {
        expect(opened.problem).toBe(`unfinished: gpt-oss pull ${name} fetches the rest`);
        continue;
      }
      expect(await modelPath(name)).toBe(path);
      expect(bytes).toBeGreaterThan(3e6);
    }
  });

  test("leaves out what others keep in the same places", async () => {
    const { cache, store } = emptyPlaces();
    const other = join(root, "other");
    mkdirSync(other);
    writeFileSync(join(other, "config.json"), '{"model_type": "llama"}');
    symlinkSync(join(micro, readdirSync(micro).find(isWeight)!), join(other, "model.safetensors"));
    addToCache(cache, { repository: "someone/llama", from: other, branch: "main" });
    mkdirSync(join(cache, "datasets--a--b"));
    mkdirSync(join(cache, ".locks"));
    addToOllama(store, { name: "llama3:8b", gguf, family: "llama" });
    expect((await listModels()).map(({ name }) => name)).toEqual(["embedded"]);
  });
});
