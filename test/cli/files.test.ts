// Commands that write and describe models: synth, convert, info.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { file, folder, gptOss, json, output, spawnGptOss } from "./run.ts";

describe("synth and info", () => {
  test("synth writes a checkpoint that runs, the same for the same seed, and never over another", async () => {
    const args = ["synth", "--shape", "models/micro", "--seed", "3", "--out"];
    await output([...args, join(folder, "a")]);
    await output([...args, join(folder, "b"), "--layout", "original"]);
    const info = await json(["info", "--model", join(folder, "b"), "--json"]);
    expect(info).toMatchObject({ layout: "original", config: { layers: 4, experts: 16 } });
    const generate = ["generate", "--tokens", "[1,2,3]", "--temperature", "0", "--max-tokens", "3", "--json"];
    const [a, b] = await Promise.all(
      ["a", "b"].map((name) => json([...generate, "--model", join(folder, name)])),
    );
    expect(a.tokens).toEqual(b.tokens);
    const again = await gptOss([...args, join(folder, "a")]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("checkpoint/exists") });
  });

  test("synth, interrupted, leaves nothing", async () => {
    const shape = largeShape();
    const out = join(folder, "interrupted");
    const child = spawnGptOss(["synth", "--shape", shape, "--out", out]);
    const ended = new Promise((resolve) => child.on("close", resolve));
    await expect.poll(() => listed(out).length, { timeout: 20_000 }).toBeGreaterThan(0);
    child.kill("SIGINT");
    expect(await ended).toBe(130);
    expect(listed(out)).toEqual([]);
  });

  /** 0.9 GB: long enough to be interrupted. */
  function largeShape(): string {
    const config = JSON.parse(readFileSync("models/micro/config.json", "utf8"));
    return file("large.json", {
      ...config,
      num_local_experts: 64,
      experts_per_token: 4,
      hidden_size: 2880,
      intermediate_size: 2880,
      num_hidden_layers: 1,
      layer_types: ["sliding_attention"],
    });
  }

  /** In the files of the folders that are in it. */
  const bytesBelow = (path: string): number =>
    listed(path)
      .flatMap((name) => listed(join(path, name)).map((file) => join(path, name, file)))
      .reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);

  const listed = (path: string): string[] => {
    try {
      return readdirSync(path);
    } catch {
      return []; // not there at all, which is what is hoped for
    }
  };

  test("convert, killed, leaves what the next one removes; interrupted, nothing", async () => {
    const out = join(folder, "there/converted");
    await output(["synth", "--shape", largeShape(), "--out", join(folder, "large")]);
    const args = ["convert", "--model", join(folder, "large"), "--to", "original", "--out", out];
    const endBy = async (signal: NodeJS.Signals): Promise<number | null> => {
      const child = spawnGptOss(args);
      const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
      await expect.poll(() => bytesBelow(out), { interval: 5 }).toBeGreaterThan(0);
      child.kill(signal);
      return ended;
    };
    expect(await endBy("SIGINT")).toBe(130);
    expect(listed(folder)).not.toContain("there");
    await endBy("SIGKILL");
    expect(listed(out)).toEqual([expect.stringMatching(/^\.partial-\d+-/)]);
    const { code, stderr } = await gptOss(args);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/removed .*\.partial-.*: .*B that a killed run had left/);
    expect(listed(out).sort()).toEqual(["config.json", "generation_config.json", "model.safetensors"]);
  });

  test("info shows shape, parameters, memory, and which backend would run", async () => {
    const text = await output(["info"]);
    expect(text).toContain("4 layers, 2 of them see only the last 64 positions");
    expect(text).toContain("4.11 M");
    expect(text).toMatch(/131,072 tokens of context: cache/);
    expect(text).toContain("context that fits beside the weights: 4 GB all");
    expect(text).toMatch(/backend\s+reference: .*\n\s+because /);
  });

  test("info knows the published shapes without their weights", async () => {
    const info = await json(["info", "--shape", "gpt-oss-20b", "--context", "8192", "--json"]);
    expect(info.parameters.total).toBe(20_914_757_184); // model card: 20.9 B
    expect(info.memory).toMatchObject([{ contextTokens: 8192 }]);
    expect(info.bytesPerToken.bf16 / 1e9).toBeCloseTo(3.7, 1);
    expect(info.bytesPerToken.q8 / 1e9).toBeCloseTo(2.57, 2); // with a scale every 32 values
    expect(info.machine.largestContext).toBeLessThanOrEqual(131_072);
    const fits = info.fits.map((fit: { memoryBytes: number; largestContext: number }) => [
      fit.memoryBytes / 1e9,
      fit.largestContext,
    ]);
    expect(fits.slice(0, 2)).toEqual([
      [4, 0],
      [8, 0],
    ]); // 13.8 GB of weights
    expect(fits[2][1]).toBeGreaterThan(20_000); // the published claim: the 20b runs in 16 GB
    expect(fits.slice(-3)).toEqual([
      [96, 131_072],
      [128, 131_072],
      [192, 131_072],
    ]);
  });

  test("verify and bench run with the cache in 8 bits", async () => {
    const { passed, checks } = await json(["verify", "--cache", "int8", "--json"]);
    const { detail } = checks.find(({ name }: { name: string }) => name === "cache");
    expect([passed, detail]).toEqual([true, expect.stringMatching(/^int8, in pieces against at once/)]);
    const bench = ["bench", "--backend", "native", "--prefill", "64", "--decode", "4"];
    const hasNative = (await gptOss(["info", "--backend", "native"])).code === 0;
    if (!hasNative) return console.warn("bench of the cache in 8 bits (skipped: no native backend here)");
    const [wide, narrow] = [
      await json([...bench, "--json"]),
      await json([...bench, "--json", "--cache", "int8"]),
    ];
    expect([wide.cache, narrow.cache]).toEqual(["bf16", "int8"]);
    expect(wide.cacheBytes / narrow.cacheBytes).toBeCloseTo(128 / 68, 2); // 64 × 2 bytes; 64 and a scale of 4
    expect(await output([...bench, "--cache", "int8"])).toMatch(/\ncache {4}\d+ kB in int8\n/);
  });
});
