// Damaged models: whatever is wrong with the files, opening and reading gives the right bytes or a coded error.

import { expect, test } from "vitest";
import { type ErrorCode, GptOssError, random, type TensorView } from "../base/index.ts";
import {
  type ByteSource,
  bytesSource,
  type Checkpoint,
  collectTensors,
  createCheckpoint,
  inventory,
  type Layout,
  parseShardIndex,
} from "./index.ts";
import { putTogether, takeApart, text, tinyConfig, tinyFiles } from "./testing/tiny-model.ts";

type Files = Map<string, Uint8Array>;

const expectedCodes: readonly ErrorCode[] = [
  "checkpoint/bad-config",
  "checkpoint/bad-header",
  "checkpoint/bad-index",
  "checkpoint/bad-tensor",
  "checkpoint/truncated",
  "checkpoint/missing-tensor",
  "checkpoint/wrong-dtype",
  "checkpoint/wrong-shape",
];

/** Opens a model from memory as node/open.ts does from a folder. */
async function open(files: Files): Promise<Checkpoint> {
  const json = (name: string) => ({ name, text: text(files.get(name)) });
  const shards = [...files].filter(([name]) => name.endsWith(".safetensors"));
  const sources = new Map<string, ByteSource>(
    shards.map(([name, bytes]) => [name, bytesSource(name, bytes)]),
  );
  const indexName = "model.safetensors.index.json";
  const collected = await collectTensors(
    sources,
    files.has(indexName) ? parseShardIndex(json(indexName)) : undefined,
  );
  return createCheckpoint({
    ...collected,
    path: "tiny",
    config: json("config.json"),
    generationConfig: json("generation_config.json"),
    tokenizer: undefined,
    close: async () => {},
  });
}

/** A sharded copy of the Hugging Face model: two files and an index. */
function sharded(files: Files): Files {
  const { json, data } = takeApart(files.get("model.safetensors")!);
  const names = Object.keys(json).filter((name) => name !== "__metadata__");
  const result = new Map([...files].filter(([name]) => name !== "model.safetensors"));
  const map: Record<string, string> = {};
  for (const [shard, members] of [names.slice(0, 20), names.slice(20)].entries()) {
    const fileName = `model-0000${shard}-of-00001.safetensors`;
    let end = 0;
    const header: Record<string, unknown> = {};
    const pieces: Uint8Array[] = [];
    for (const name of members) {
      const [from, to] = json[name].data_offsets as [number, number];
      header[name] = { ...json[name], data_offsets: [end, (end += to - from)] };
      pieces.push(data.subarray(from, to));
      map[name] = fileName;
    }
    result.set(fileName, putTogether(header, new Uint8Array(Buffer.concat(pieces))));
  }
  return result.set(
    "model.safetensors.index.json",
    new TextEncoder().encode(JSON.stringify({ weight_map: map })),
  );
}

test("fuzz: damaged models in three forms, by bytes and by structure", async () => {
  const huggingFace = await tinyFiles("huggingface");
  const forms: readonly (readonly [string, Layout, Files])[] = [
    ["single file", "huggingface", huggingFace],
    ["sharded", "huggingface", sharded(huggingFace)],
    ["original", "original", await tinyFiles("original")],
  ];
  const truth = new Map<string, Uint8Array>();
  const whole = await open(huggingFace);
  for (const { name } of inventory(tinyConfig)) truth.set(name, await whole.tensor(name).read());

  const { uint32 } = random(42);
  const outcomes = new Map<string, number>();
  for (let round = 0; round < 9000; round++) {
    const [form, layout, intact] = forms[round % forms.length];
    const files = new Map([...intact].map(([name, bytes]) => [name, bytes.slice()]));
    const isDataIntact = damage(files, uint32);
    let outcome: string;
    try {
      const checkpoint = await open(files);
      expect([form, checkpoint.layout]).toEqual([form, layout]);
      await checkReads(checkpoint, isDataIntact ? truth : undefined);
      outcome = "opened";
    } catch (error) {
      if (!GptOssError.isInstance(error)) throw error;
      expect(expectedCodes).toContain(error.code);
      expect(error.message.length).toBeLessThan(1000);
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // Otherwise the damage reaches only the outermost checks.
  for (const outcome of ["opened", ...expectedCodes])
    expect([outcome, outcomes.get(outcome) ?? 0]).not.toEqual([outcome, 0]);
});

async function checkReads(
  checkpoint: Checkpoint,
  truth: ReadonlyMap<string, Uint8Array> | undefined,
): Promise<void> {
  const { config } = checkpoint;
  for (const { name, shape } of inventory(config)) {
    const view: TensorView = checkpoint.tensor(name);
    expect(view.shape).toEqual(shape);
    const bytes = await view.read();
    expect(bytes.length).toBe(view.byteLength);
    if (truth) expect([name, Buffer.compare(bytes, truth.get(name)!)]).toEqual([name, 0]);
  }
}

/** Damages one file in one of several ways; → whether what can still be opened must be the very model. */
function damage(files: Files, uint32: () => number): boolean {
  const below = (count: number): number => uint32() % count;
  const pick = <T>(list: readonly T[]): T => list[below(list.length)];
  const names = [...files.keys()];
  const name = pick(below(4) === 0 ? names : names.filter((name) => name.endsWith(".safetensors")));
  const bytes = files.get(name)!;
  const isWeights = name.endsWith(".safetensors");
  switch (below(isWeights ? 8 : 3)) {
    case 0: // flipped bytes, mostly where the header is
      for (let flips = below(4) + 1; flips > 0; flips--)
        bytes[below(Math.min(bytes.length, 4000))] = uint32();
      return false;
    case 1:
      files.set(name, bytes.subarray(0, below(bytes.length + 1)));
      return false;
    case 2: {
      const at = below(bytes.length);
      files.set(
        name,
        new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(below(bytes.length))])),
      );
      return false;
    }
    default:
      return damageHeader(files, name, { below, pick });
  }
}

function damageHeader(
  files: Files,
  file: string,
  { below, pick }: { below: (count: number) => number; pick: <T>(list: readonly T[]) => T },
): boolean {
  const { json, data } = takeApart(files.get(file)!);
  const names = Object.keys(json).filter((name) => name !== "__metadata__");
  const [one, other] = [pick(names), pick(names)];
  const numbers = [-1, 0, 1, 2, 16, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, "1", null];
  const offsets = json[one].data_offsets as unknown[];
  const shape = json[one].shape as unknown[];
  switch (below(9)) {
    case 0:
      delete json[one];
      break;
    case 1:
      json[one].dtype = pick(["F32", "F16", "BF16", "U8", "I32", "I64", "F8_E8M0", "BOOL", "nonsense", 7]);
      break;
    case 2:
      shape[below(shape.length)] = pick(numbers);
      break;
    case 3:
      offsets[below(2)] = pick(numbers);
      break;
    case 4: // two tensors of equal size trade places: not to be seen from the header
      [json[one].data_offsets, json[other].data_offsets] = [json[other].data_offsets, json[one].data_offsets];
      break;
    case 5:
      [json[one].shape, json[other].shape] = [json[other].shape, json[one].shape];
      break;
    case 6:
      shape.reverse();
      break;
    case 7:
      json[`${other} `] = json[one];
      delete json[one];
      break;
    case 8: {
      // The whole header rewritten in another order and with padding: the very same model.
      const entries = Object.entries(json).sort(() => below(2) - 0.5);
      files.set(file, putTogether(JSON.stringify(Object.fromEntries(entries)) + " ".repeat(below(20)), data));
      return true;
    }
  }
  files.set(file, putTogether(json, data));
  return false;
}
