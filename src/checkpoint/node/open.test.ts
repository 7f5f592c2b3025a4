import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inventory } from "../index.ts";
import { errorOf, putTogether, takeApart, tinyFiles } from "../testing/tiny-model.ts";
import { readFully } from "./file-source.ts";
import { openCheckpoint, openFile, openTensors } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gpt-oss-open-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const copyMicro = (name = "micro"): string => {
  cpSync("models/micro", join(folder, name), { recursive: true });
  return join(folder, name);
};
const indexName = "model.safetensors.index.json";
const shardName = "model-00001-of-00002.safetensors";
const editJson = (path: string, edit: (json: Record<string, Record<string, unknown>>) => void): void => {
  const json = JSON.parse(readFileSync(path, "utf8"));
  edit(json);
  writeFileSync(path, JSON.stringify(json));
};
const writeTiny = async (name: string): Promise<string> => {
  mkdirSync(join(folder, name));
  for (const [file, bytes] of await tinyFiles("huggingface")) writeFileSync(join(folder, name, file), bytes);
  return join(folder, name);
};

describe("both layouts", () => {
  test("the same model in both layouts is the same bytes", async () => {
    const huggingFace = await openCheckpoint("models/micro");
    const original = await openCheckpoint("test/golden/micro-original");
    expect([huggingFace.layout, original.layout]).toEqual(["huggingface", "original"]);
    for (const { name, dtype, shape } of inventory(huggingFace.config)) {
      const [one, other] = [huggingFace.tensor(name), original.tensor(name)];
      for (const view of [one, other])
        expect([view.name, view.dtype, view.shape]).toEqual([name, dtype, shape]);
      expect([name, Buffer.compare(await one.read(), await other.read())]).toEqual([name, 0]);
    }
    expect(huggingFace.tokenizerJson).toContain("merges");
    expect((await errorOf(() => original.tensor("model.layers.4.self_attn.sinks"))).code).toBe(
      "checkpoint/missing-tensor",
    );
    await Promise.all([huggingFace.close(), original.close()]);
  });

  test("a location is where the bytes lie, so that a backend may map the file instead of reading it", async () => {
    for (const path of ["models/micro", "test/golden/micro-original"]) {
      const checkpoint = await openCheckpoint(path);
      for (const name of ["lm_head.weight", "model.layers.2.self_attn.v_proj.weight"]) {
        const view = checkpoint.tensor(name);
        const { path: file, offset } = view.location!;
        expect(file).toBe(resolve(file));
        const bytes = readFileSync(file).subarray(offset, offset + view.byteLength);
        expect(Buffer.compare(bytes, await view.read())).toBe(0);
        expect(Buffer.compare(bytes.subarray(64, 100), await view.read(64, 100))).toBe(0);
      }
      await checkpoint.close();
    }
  });

  test("a repository of which only original/ was fetched, with the root's tokenizer and stop tokens", async () => {
    cpSync("test/golden/micro-original", join(folder, "original"), { recursive: true });
    for (const path of [folder, join(folder, "original")]) {
      copyFileSync("models/micro/tokenizer.json", join(folder, "tokenizer.json"));
      copyFileSync("models/micro/generation_config.json", join(folder, "generation_config.json"));
      const checkpoint = await openCheckpoint(path);
      expect([checkpoint.layout, checkpoint.path]).toEqual(["original", join(folder, "original")]);
      expect(checkpoint.config.stopTokens).toEqual([2050, 2049, 2056]);
      expect(checkpoint.tokenizerJson).toContain("merges");
      await checkpoint.close();
    }
  });

  test("shards without an index, and files that are symbolic links as in the shared cache", async () => {
    const blobs = copyMicro();
    mkdirSync(join(folder, "snapshot"));
    for (const name of ["config.json", "model-00000-of-00002.safetensors", shardName])
      symlinkSync(join(blobs, name), join(folder, "snapshot", name));
    const checkpoint = await openCheckpoint(join(folder, "snapshot"));
    expect((await checkpoint.tensor("model.norm.weight").read()).length).toBe(256);
    await checkpoint.close();
  });
});

describe("a folder that is no model, or not a whole one, says so", () => {
  const refuse = async (path: string, code: string, message: RegExp): Promise<void> => {
    const error = await errorOf(() => openCheckpoint(path));
    expect([error.code, error.message]).toEqual([`checkpoint/${code}`, expect.stringMatching(message)]);
    expect(error.hint).toBeTruthy();
  };

  test("no folder, a file, an empty folder, weights without a config", async () => {
    await refuse(join(folder, "nowhere"), "not-found", /nowhere: there is no such file or folder/);
    await refuse("models/micro/config.json", "not-found", /expected a folder/);
    await refuse(folder, "not-found", /no \.safetensors files here/);
    copyFileSync(`models/micro/${shardName}`, join(folder, "model.safetensors"));
    await refuse(folder, "not-found", /no config\.json/);
  });

  test("a missing shard, and one that is cut", async () => {
    const path = copyMicro();
    truncateSync(join(path, shardName), 1_000_000);
    await refuse(
      path,
      "truncated",
      /model-00001-of-00002\.safetensors: tensor "model\.layers\.\d.* ends at byte/,
    );
    rmSync(join(path, shardName));
    await refuse(path, "missing-shard", /model-00001-of-00002\.safetensors/);
    rmSync(join(path, indexName));
    await refuse(
      path,
      "missing-tensor",
      /"model\.layers\.1\.self_attn\.v_proj\.weight" and 39 more missing, 79 exp/,
    );
  });

  test("a stray model.safetensors, which goes before the index as it does in Transformers", async () => {
    const path = copyMicro();
    copyFileSync(`models/micro/${shardName}`, join(path, "model.safetensors"));
    await refuse(path, "missing-tensor", /missing, 79 expected/);
    expect((await errorOf(() => openCheckpoint(path))).hint).toMatch(
      /model\.safetensors lies beside the shards/,
    );
  });

  test("an index that is damaged, or leads elsewhere", async () => {
    const path = copyMicro();
    const index = join(path, indexName);
    const outside = copyMicro("outside");
    for (const shard of [
      `../outside/${shardName}`,
      join(outside, shardName),
      "..",
      "",
      5,
      "a\\b.safetensors",
      "c:x.safetensors",
    ]) {
      copyFileSync(`models/micro/${indexName}`, index);
      editJson(index, ({ weight_map }) => {
        weight_map["lm_head.weight"] = shard;
      });
      await refuse(
        path,
        "bad-index",
        /index\.json: tensor "lm_head\.weight" is in .*; expected the name of a/,
      );
    }
    copyFileSync(`models/micro/${indexName}`, index);
    editJson(index, ({ weight_map }) => {
      weight_map["lm_head.weight"] = shardName;
    });
    await refuse(path, "bad-index", /"lm_head\.weight" should be in "model-00001-of-00002\.safetensors"/);
    for (const text of ["", "[]", "{}", '{"weight_map": {}}', '{"weight_map": 7}']) {
      writeFileSync(index, text);
      await refuse(path, "bad-index", /index\.json: /);
    }
    writeFileSync(index, " ".repeat(5 << 20));
    await refuse(path, "io", /expected at most/);
    writeFileSync(index, new Uint8Array([0x7b, 0xff]));
    await refuse(path, "io", /index\.json: is not UTF-8/);
  });

  test("a config of another size, with fewer layers, or other dtypes", async () => {
    const path = await writeTiny("model");
    const config = join(path, "config.json");
    const pristine = readFileSync(config);
    const edits: [(json: Record<string, unknown>) => void, string, RegExp][] = [
      [
        (json) => Object.assign(json, { vocab_size: 12 }),
        "wrong-shape",
        /embed_tokens\.weight" is \[11,32\]; config\.json makes it \[12,32\]/,
      ],
      [
        (json) => Object.assign(json, { num_hidden_layers: 3, layer_types: null }),
        "missing-tensor",
        /"model\.layers\.2\.input_layernorm\.weight" and 18 more/,
      ],
      [
        (json) => Object.assign(json, { num_hidden_layers: 1, layer_types: null }),
        "bad-config",
        /says 1 layers, but there is a tensor "model\.layers\.1/,
      ],
    ];
    for (const [edit, code, message] of edits) {
      editJson(config, edit);
      await refuse(path, code, message);
      writeFileSync(config, pristine);
    }
    const weights = join(path, "model.safetensors");
    const { json, data } = takeApart(new Uint8Array(readFileSync(weights)));
    json["model.norm.weight"].dtype = "I16";
    writeFileSync(weights, putTogether(json, data));
    await refuse(path, "wrong-dtype", /"model\.norm\.weight" is I16; expected BF16 or F32 or F16/);
  });

  test("one tensor in two files", async () => {
    const path = copyMicro();
    rmSync(join(path, indexName));
    copyFileSync(join(path, shardName), join(path, "copy.safetensors"));
    await refuse(path, "bad-tensor", /"model\..* is in another file of the model, too/);
  });

  test.skipIf(process.platform === "win32")("a pipe in place of a file does not hang", async () => {
    const path = copyMicro();
    rmSync(join(path, shardName));
    execFileSync("mkfifo", [join(path, shardName)]);
    await refuse(path, "io", /not a regular file/);
  });
});

describe("files that change while they are used", () => {
  test("shrunk, grown or rewritten in place: an error, never other bytes", async () => {
    const changes: ((shard: string) => void)[] = [
      (shard) => truncateSync(shard, 1000),
      (shard) => appendFileSync(shard, "x"),
      (shard) => utimesSync(shard, 1, 1),
    ];
    for (const [number, change] of changes.entries()) {
      const path = copyMicro(`micro${number}`);
      const checkpoint = await openCheckpoint(path);
      await checkpoint.tensor("model.norm.weight").read();
      change(join(path, shardName));
      const error = await errorOf(() => checkpoint.tensor("model.norm.weight").read());
      expect([error.code, error.message]).toEqual([
        "checkpoint/io",
        expect.stringMatching(/changed while it was in use/),
      ]);
      await checkpoint.close();
    }
  });

  test("replaced by another file: the open model stays what it was", async () => {
    const path = copyMicro();
    const checkpoint = await openCheckpoint(path);
    const before = await checkpoint.tensor("model.norm.weight").read();
    writeFileSync(join(path, "new"), "something else");
    renameSync(join(path, "new"), join(path, shardName));
    expect(await checkpoint.tensor("model.norm.weight").read()).toEqual(before);
    await checkpoint.close();
  });

  test("after close, reading is refused; closing twice is not; a reading under way ends well", async () => {
    const checkpoint = await openCheckpoint("models/micro");
    const view = checkpoint.tensor("lm_head.weight");
    const reading = view.read();
    await Promise.all([checkpoint.close(), checkpoint.close()]);
    expect((await reading).length).toBe(view.byteLength);
    expect((await errorOf(() => view.read())).message).toMatch(/read after close/);
  });

  test.skipIf(process.platform !== "linux")("neither success nor failure leaves a file open", async () => {
    const openFiles = () =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return /\.(safetensors|json)$/.test(readlinkSync(`/proc/self/fd/${fd}`));
        } catch {
          return false; // the listing's own
        }
      });
    const broken = copyMicro();
    truncateSync(join(broken, shardName), 1_000_000);
    for (let round = 0; round < 20; round++) {
      await (await openCheckpoint("models/micro")).close();
      await errorOf(() => openCheckpoint(broken));
      await errorOf(() => openCheckpoint(folder));
    }
    expect(openFiles()).toEqual([]);
  });
});

describe("large files", () => {
  test.skipIf(process.platform === "win32")("tensors beyond 4 GB, in a sparse file", async () => {
    const path = join(folder, "model.safetensors");
    const header = {
      big: { dtype: "U8", shape: [5_000_000_000], data_offsets: [0, 5e9] },
      last: { dtype: "U8", shape: [4], data_offsets: [5e9, 5e9 + 4] },
    };
    const start = putTogether(header, new Uint8Array());
    const file = await open(path, "w");
    await file.write(start, 0);
    await file.write(new Uint8Array([1, 2, 3, 4]), 0, 4, start.length + 5e9);
    await file.close();
    const { tensors, close } = await openTensors(folder);
    expect(await tensors.get("last")!.read()).toEqual(new Uint8Array([1, 2, 3, 4]));
    expect(await tensors.get("big")!.read(4_999_999_998)).toEqual(new Uint8Array(2));
    await close();
  });

  test("a reading of any length is put together from as many calls as it takes", async () => {
    const path = join(folder, "file");
    const content = Uint8Array.from({ length: 1000 }, (_, i) => i);
    writeFileSync(path, content);
    const handle = await open(path);
    for (const maxBytes of [1, 7, 999, 1000, 5000]) {
      const bytes = new Uint8Array(900);
      await readFully(handle, bytes, { offset: 50, name: path, maxBytes });
      expect(bytes).toEqual(content.subarray(50, 950));
    }
    const error = await errorOf(() =>
      readFully(handle, new Uint8Array(900), { offset: 200, name: path, maxBytes: 7 }),
    );
    expect([error.code, error.message]).toEqual([
      "checkpoint/truncated",
      expect.stringMatching(/200 to 1100, but the file ends at 1000/),
    ]);
    await handle.close();
  });

  test("a source refuses to read outside itself before it allocates", async () => {
    const source = await openFile("models/micro/config.json");
    for (const [offset, length] of [
      [0, source.size + 1],
      [-1, 1],
      [2 ** 52, 2 ** 52],
    ])
      expect((await errorOf(() => source.read(offset, length))).code).toBe("checkpoint/truncated");
    await source.close();
  });
});

test.skipIf(process.platform !== "linux")("opening reads headers, not weights", async () => {
  const bytesRead = () => Number(/rchar: (\d+)/.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);
  const before = bytesRead();
  const checkpoint = await openCheckpoint("models/micro");
  const bytes = bytesRead() - before;
  await checkpoint.close();
  // 9 KB of headers, 56 KB of tokenizer.json, 9 KB of other JSON; the weights have 3.6 MB.
  expect(bytes).toBeLessThan(300_000);
});
