import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Backend, Tensor } from "../backend/index.ts";
import { createReferenceBackend } from "../backend/reference/index.ts";
import type { Checkpoint } from "../checkpoint/index.ts";
import { openCheckpoint } from "../checkpoint/node/index.ts";
import { batchOf, cachePlan, type LoadProgress, loadModel, type Model, type ModelCache } from "./index.ts";
import type { SequenceCache } from "./sequence-cache.ts";

let checkpoint: Checkpoint;
let backend: Backend;
let model: Model;
let cache: ModelCache;
const progress: LoadProgress[] = [];

beforeAll(async () => {
  checkpoint = await openCheckpoint(fileURLToPath(new URL("../../models/micro", import.meta.url)));
  backend = createReferenceBackend();
  model = await loadModel(checkpoint, backend, { onProgress: (step) => progress.push(step) });
  cache = model.createCache(cachePlan(model.config, { contextTokens: 2000, sequences: 4, chunkTokens: 200 }));
});

afterAll(async () => {
  cache.close();
  await backend.close();
  await checkpoint.close();
});

const prompt = Int32Array.from({ length: 150 }, (_, i) => (i * 37) % 2000);

function run(
  sequence: SequenceCache,
  tokens: Int32Array,
  rows = Int32Array.of(tokens.length - 1),
): Promise<Float32Array> {
  const logits = model.forward({ batch: batchOf([sequence.append(tokens)]), cache: cache.kv, rows });
  sequence.commit();
  const values = backend.read(logits);
  backend.free(logits);
  return values;
}

test("loading reports every byte, in order, up to the whole", () => {
  expect(progress.map(({ loadedBytes }) => loadedBytes)).toEqual(
    progress.map(({ loadedBytes }) => loadedBytes).sort((a, b) => a - b),
  );
  const { loadedBytes, totalBytes } = progress[progress.length - 1];
  expect(loadedBytes).toBe(totalBytes);
  expect(totalBytes).toBe(checkpoint.files.reduce((sum, view) => sum + view.byteLength, 0));
});

test("weights are held once, as they are stored", () => {
  expect(backend.usage().bytes - backend.cacheBytes(cache.kv.spec)).toBe(progress[0].totalBytes);
});

test("loading stops when it is told to", async () => {
  const other = createReferenceBackend();
  const controller = new AbortController();
  const seen: number[] = [];
  const loading = loadModel(checkpoint, other, {
    signal: controller.signal,
    onProgress: () => {
      if (seen.push(1) === 5) controller.abort();
    },
  });
  await expect(loading).rejects.toMatchObject({ name: "AbortError" });
  expect(seen.length).toBe(5);
  expect(other.usage().weights).toBe(5);
  await other.close();
  expect(other.usage().bytes).toBe(0);
});

test("logits come for the rows that are asked for, in that order", async () => {
  const sequence = cache.open();
  const all = await run(sequence, prompt, Int32Array.from(prompt.keys()));
  sequence.close();
  const again = cache.open();
  const some = await run(again, prompt, Int32Array.of(149, 3, 3));
  again.close();
  const row = (i: number): Float32Array => all.subarray(i * 2080, (i + 1) * 2080);
  expect(some).toEqual(Float32Array.from([...row(149), ...row(3), ...row(3)]));
});

test("a chunk that needs no logits costs none and is remembered", async () => {
  const [whole, parts] = [cache.open(), cache.open()];
  const want = await run(whole, prompt);
  expect(await run(parts, prompt.slice(0, 100), new Int32Array())).toEqual(new Float32Array());
  expect(await run(parts, prompt.slice(100))).toEqual(want);
  whole.close();
  parts.close();
});

test("a fork continues as if it had read the prefix itself, and leaves its origin alone", async () => {
  const [origin, plain] = [cache.open(), cache.open()];
  await run(origin, prompt.slice(0, 100));
  const fork = origin.fork(96)!;
  const question = Int32Array.of(5, 6, 7, 8, 9);
  const forked = await run(fork, question);
  await run(plain, prompt.slice(0, 96));
  expect(forked).toEqual(await run(plain, question));
  const continued = await run(origin, prompt.slice(100));
  for (const sequence of [origin, plain, fork]) sequence.close();
  const whole = cache.open();
  expect(continued).toEqual(await run(whole, prompt));
  whole.close();
});

test("refused guesses leave no trace", async () => {
  const [guessing, plain] = [cache.open(), cache.open()];
  await run(guessing, prompt.slice(0, 100));
  const guesses = batchOf([guessing.append(Int32Array.of(1, 2, 3, 4, 5))]);
  backend.free(model.forward({ batch: guesses, cache: cache.kv, rows: new Int32Array() }));
  guessing.commit(102);
  const afterwards = await run(guessing, prompt.slice(0, 3));
  await run(plain, Int32Array.from([...prompt.slice(0, 100), 1, 2]));
  expect(afterwards).toEqual(await run(plain, prompt.slice(0, 3)));
  guessing.close();
  plain.close();
});

test("the hook sees each layer's residual stream, of the last layer the wanted rows", async () => {
  const sequence = cache.open();
  const seen: [number, number, number][] = [];
  const onHidden = (layer: number, { rows, cols }: Tensor): void => void seen.push([layer, rows, cols]);
  const batch = batchOf([sequence.append(prompt)]);
  backend.free(model.forward({ batch, cache: cache.kv, rows: Int32Array.of(0, 149), onHidden }));
  expect(seen).toEqual([
    [0, 150, 128],
    [1, 150, 128],
    [2, 150, 128],
    [3, 2, 128],
  ]);
  sequence.close();
});

test("positions past the context and ids outside the vocabulary are refused, and nothing leaks", () => {
  const tokens = Int32Array.of(1, 2);
  const at = (position: number, ids: Int32Array) => ({
    batch: batchOf([{ tokens: ids, position, blockTables: [Int32Array.of(0), Int32Array.of(0)] }]),
    cache: cache.kv,
    rows: new Int32Array(),
  });
  const before = backend.usage();
  const code = (code: string) => expect.objectContaining({ code });
  expect(() => model.forward(at(131_071, tokens))).toThrow(code("model/too-long"));
  expect(() => model.forward(at(0, Int32Array.of(0, 2080)))).toThrow(code("backend/bad-index"));
  expect(() => model.forward({ ...at(0, tokens), rows: Int32Array.of(2) })).toThrow(
    code("backend/bad-index"),
  );
  expect(backend.usage()).toEqual(before);
});

test("a forward pass leaves one tensor, its logits", async () => {
  const sequence = cache.open();
  const before = backend.usage();
  const logits = model.forward({
    batch: batchOf([sequence.append(prompt)]),
    cache: cache.kv,
    rows: Int32Array.of(149),
  });
  expect(backend.usage()).toEqual({ ...before, tensors: before.tensors + 1, bytes: before.bytes + 4 * 2080 });
  backend.free(logits);
  sequence.close();
});

test("a longer context takes memory in full layers only", () => {
  const bytes = (contextTokens: number, slides: boolean): number => {
    const plan = cachePlan(model.config, { contextTokens, sequences: 1, chunkTokens: 512 });
    return backend.cacheBytes({ ...plan, layerGroups: [slides ? 0 : 1] });
  };
  expect(bytes(131_072, true)).toBe(bytes(8192, true));
  expect(bytes(131_072, false)).toBe(16 * bytes(8192, false));
});

test("the forward pass stays on one page and names no backend", () => {
  const page = readFileSync(new URL("forward.ts", import.meta.url), "utf8");
  expect(page.split("\n").length).toBeLessThanOrEqual(200);
  expect(page).not.toMatch(/\b(reference|native|webgpu|wgsl)\b/i);
});
