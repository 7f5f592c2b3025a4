import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GptOssError } from "../../base/index.ts";
import { inventory, type Layout, shapes, textFile } from "../index.ts";
import { errorOf, tinyConfig } from "../testing/tiny-model.ts";
import {
  type Leftover,
  openCheckpoint,
  readShape,
  synthesize,
  type WriteProgress,
  writeFiles,
} from "./index.ts";
import { ioError } from "./io-error.ts";
import { ownMark } from "./process-mark.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpt-oss-write-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A few megabytes, so that there is a middle in which to stop. */
const config = { ...tinyConfig, vocabularySize: 100_000 };

test("a synthesised model opens, and is the same in both layouts", async () => {
  for (const layout of ["huggingface", "original"] as const)
    await synthesize({ config: tinyConfig, out: join(folder, layout), seed: 9, layout, tokenizerJson: "{}" });
  const [one, other] = await Promise.all([
    openCheckpoint(join(folder, "huggingface")),
    openCheckpoint(join(folder, "original")),
  ]);
  expect([one.layout, other.layout]).toEqual(["huggingface", "original"] satisfies Layout[]);
  expect(one.config).toEqual(tinyConfig);
  expect(other.config).toEqual(tinyConfig);
  expect(one.tokenizerJson).toBe("{}");
  for (const { name } of inventory(tinyConfig))
    expect([name, await other.tensor(name).read()]).toEqual([name, await one.tensor(name).read()]);
  await Promise.all([one.close(), other.close()]);
  expect(readdirSync(join(folder, "original")).sort()).toEqual([
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
  ]);
});

test("progress is told to the last byte", async () => {
  const told: WriteProgress[] = [];
  await synthesize({ config, out: folder, seed: 1, onProgress: (progress) => told.push(progress) });
  const last = told.at(-1)!;
  expect(last.bytes).toBe(last.totalBytes);
  expect(last.secondsLeft).toBe(0);
  expect(last.bytesPerSecond).toBeGreaterThan(0);
});

test("an interrupt leaves nothing behind, not even a folder", async () => {
  const controller = new AbortController();
  const files = [
    textFile("first", "whole"),
    {
      name: "second",
      byteLength: 100,
      async *chunks() {
        yield new Uint8Array(10);
        controller.abort(new Error("enough"));
        yield new Uint8Array(90);
      },
    },
  ];
  const out = join(folder, "out");
  await expect(writeFiles(out, files, { signal: controller.signal })).rejects.toThrow("enough");
  expect(readdirSync(folder)).toEqual([]);
  await expect(writeFiles(out, files, { signal: controller.signal })).rejects.toThrow("enough");
  expect(readdirSync(folder)).toEqual([]);
});

test("nor the folders around it that were made, but those that were there", async () => {
  mkdirSync(join(folder, "there"));
  const failing = { name: "x", byteLength: 1, async *chunks() {} };
  const { code } = await errorOf(() => writeFiles(join(folder, "there/a/b/c"), [failing]));
  expect([code, readdirSync(join(folder, "there"))]).toEqual(["base/assert", []]);
});

test("where a folder is to be made and a file is, says so", async () => {
  writeFileSync(join(folder, "out"), "mine");
  const error = await errorOf(() => writeFiles(join(folder, "out"), [textFile("a", "a")]));
  expect([error.code, error.message]).toEqual([
    "checkpoint/exists",
    expect.stringMatching(/out: is there already/),
  ]);
});

describe("what a killed process left behind", () => {
  const { pid, place: here } = ownMark();
  /** More than any system gives out. */
  const nobody = 2 ** 22 + 1;
  const longAgo = new Date(Date.now() - 48 * 3_600_000);

  async function leftAfterWriting(name: string, changed?: Date): Promise<boolean> {
    const path = join(folder, name);
    mkdirSync(path);
    writeFileSync(join(path, "half"), "12345");
    if (changed) for (const each of [join(path, "half"), path]) utimesSync(each, changed, changed);
    const told: Leftover[] = [];
    await writeFiles(folder, [textFile("a", "a")], { onLeftover: (leftover) => told.push(leftover) });
    const isLeft = readdirSync(folder).includes(name);
    expect(told).toEqual(isLeft ? [] : [{ path, bytes: 5 }]);
    return isLeft;
  }

  test.each<[what: string, name: string, changed?: Date]>([
    ["by a process that is gone", `.partial-${nobody}-${here}-a1B2c3`],
    ["by one before a restart that had the number of this one", `.partial-${pid}-${here}-a1B2c3`, longAgo],
    ["on another machine, and nobody wrote there for a day", ".partial-1-elsewhere-a1B2c3", longAgo],
  ])("is removed, and said: %s", async (_, name, changed) => {
    expect(await leftAfterWriting(name, changed)).toBe(false);
  });

  test.each<[what: string, name: string, changed?: Date]>([
    ["a living process writes", `.partial-${process.ppid}-${here}-a1B2c3`, longAgo],
    ["another thread of this one writes", `.partial-${pid}-${here}-a1B2c3`],
    ["another machine writes", ".partial-1-elsewhere-a1B2c3"],
    ["another container of the same name writes", `.partial-${nobody}-${here}1-a1B2c3`],
    ["is somebody's own", ".partial-notes", longAgo],
  ])("is never taken for what %s", async (_, name, changed) => {
    expect(await leftAfterWriting(name, changed)).toBe(true);
  });
});

test("an error while the bytes are made, or too few of them, leaves nothing behind", async () => {
  const failing = (chunks: () => AsyncGenerator<Uint8Array>) => ({ name: "x", byteLength: 100, chunks });
  const broken = failing(async function* () {
    yield new Uint8Array(10);
    throw new GptOssError("checkpoint/truncated", { message: "the source ended" });
  });
  const short = failing(async function* () {
    yield new Uint8Array(99);
  });
  writeFileSync(join(folder, "mine"), "stays");
  expect((await errorOf(() => writeFiles(folder, [textFile("a", "a"), broken]))).code).toBe(
    "checkpoint/truncated",
  );
  expect((await errorOf(() => writeFiles(folder, [textFile("a", "a"), short]))).code).toBe("base/assert");
  expect(readdirSync(folder)).toEqual(["mine"]);
});

test("a file that is there is not replaced", async () => {
  writeFileSync(join(folder, "config.json"), "precious");
  const error = await errorOf(() => synthesize({ config: tinyConfig, out: folder, seed: 1 }));
  expect([error.code, error.message]).toEqual(["checkpoint/exists", expect.stringMatching(/config\.json/)]);
  expect(readdirSync(folder)).toEqual(["config.json"]);
  expect(readFileSync(join(folder, "config.json"), "utf8")).toBe("precious");
});

test("a model larger than the disk is refused before a byte is written, saying what is needed", async () => {
  const huge = { ...shapes["gpt-oss-120b"], experts: 4096, vocabularySize: 2 ** 23, hiddenSize: 2 ** 17 };
  const error = await errorOf(() => synthesize({ config: huge, out: join(folder, "out"), seed: 1 }));
  expect([error.code, error.message]).toEqual([
    "checkpoint/disk-full",
    expect.stringMatching(/needs \d+\.\d GB, and the disk has \d+\.\d [MG]B free/),
  ]);
  expect(readdirSync(folder)).toEqual([]);
});

test("a disk that fills up meanwhile, and a folder that cannot be made, have their codes", async () => {
  const full = ioError(Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" }), "/x");
  expect([full.code, full.message]).toEqual(["checkpoint/disk-full", "/x: the disk is full"]);
  writeFileSync(join(folder, "file"), "");
  const error = await errorOf(() => writeFiles(join(folder, "file", "out"), [textFile("a", "a")]));
  expect(error.code).toBe("checkpoint/not-found");
});

test("a shape is a published name, a config.json or the folder of one", async () => {
  expect((await readShape("gpt-oss-120b")).config.experts).toBe(128);
  expect(await readShape("20b")).toEqual(await readShape("gpt-oss-20b"));
  const [micro, same] = [await readShape("models/micro"), await readShape("models/micro/config.json")];
  expect(micro).toEqual(same);
  expect(micro.config.stopTokens).toEqual([2050, 2049, 2056]);
  expect(micro.tokenizerJson).toContain("model");
  const error = await errorOf(() => readShape("gpt-oss-21b"));
  expect([error.code, error.hint]).toEqual(["checkpoint/not-found", expect.stringMatching(/gpt-oss-20b/)]);
});
