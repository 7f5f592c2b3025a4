import { copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type GgufPieces, ggufBytes, tinyGguf } from "../testing/tiny-gguf.ts";
import { errorOf, tinyConfig } from "../testing/tiny-model.ts";
import { openCheckpoint } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpt-oss-gguf-"));
});
afterEach(() => rmSync(folder, { recursive: true }));
const at = (name: string): string => join(folder, name);

const opens = async (path: string): Promise<void> => {
  const model = await openCheckpoint(path);
  expect([model.layout, model.config]).toEqual(["gguf", tinyConfig]);
  const view = model.tensor("model.norm.weight");
  expect((await view.read()).length).toBe(view.byteLength);
  await model.close();
  expect((await errorOf(() => view.read())).message).toMatch(/read after close/);
};
const refuse = async (path: string, code: string, message: RegExp): Promise<void> => {
  const error = await errorOf(() => openCheckpoint(path));
  expect([error.code, error.message]).toEqual([`checkpoint/${code}`, expect.stringMatching(message)]);
  expect(error.hint).toBeTruthy();
};

/** The tiny model in parts, as gguf-split names them. */
async function writeParts(count: number): Promise<string[]> {
  const { metadata, tensors } = await tinyGguf();
  return Array.from({ length: count }, (_, no) => {
    const own: GgufPieces = {
      metadata: new Map([
        ...(no === 0 ? metadata : []),
        ["split.no", { type: "u16", value: no }],
        ["split.count", { type: "u16", value: count }],
        ["split.tensors.count", { type: "i32", value: tensors.length }],
      ]),
      tensors: tensors.filter((_, i) => i % count === no),
    };
    const path = at(`model-0000${no + 1}-of-0000${count}.gguf`);
    writeFileSync(path, ggufBytes(own));
    return path;
  });
}

describe("a GGUF file is a model", () => {
  test("by its ending, by its beginning (Ollama's files have no ending), and as the only one in a folder", async () => {
    const bytes = ggufBytes(await tinyGguf());
    writeFileSync(at("model.gguf"), bytes);
    writeFileSync(at("sha256-0123"), bytes);
    await opens(at("model.gguf"));
    await opens(at("sha256-0123"));
    await opens(folder);
    copyFileSync(at("model.gguf"), at("another.GGUF"));
    await refuse(folder, "not-found", /several models: another\.GGUF, model\.gguf/);
  });

  test("in parts: any part opens the whole, and a folder of parts is one model", async () => {
    const parts = await writeParts(3);
    for (const part of parts) await opens(part);
    await opens(folder);
    rmSync(parts[1]);
    await refuse(parts[0], "missing-shard", /model-00002-of-00003\.gguf: this part of the model is missing/);
  });

  test("dense tensors that are stored as numbers can be mapped instead of read", async () => {
    writeFileSync(at("model.gguf"), ggufBytes(await tinyGguf()));
    const model = await openCheckpoint(at("model.gguf"));
    expect(model.tensor("lm_head.weight").location?.path).toBe(at("model.gguf"));
    expect(model.tensor("model.layers.0.mlp.experts.down_proj_blocks").location).toBeUndefined();
    await model.close();
  });
});

test("a file that is cut, that is none, or that is not there", async () => {
  writeFileSync(at("model.gguf"), ggufBytes(await tinyGguf()));
  truncateSync(at("model.gguf"), 20_000);
  await refuse(at("model.gguf"), "truncated", /ends at byte/);
  writeFileSync(at("other.gguf"), "PK\u0003\u0004 and so on");
  await refuse(at("other.gguf"), "bad-header", /expected "GGUF"; the file begins with "PK/);
  await refuse(at("nowhere.gguf"), "not-found", /nowhere\.gguf: there is no such file/);
  writeFileSync(at("model-00001-of-99999.gguf"), "GGUF");
  await refuse(at("model-00001-of-99999.gguf"), "missing-shard", /model-00002-of-99999\.gguf/);
});
