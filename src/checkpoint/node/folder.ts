// A checkpoint folder on disk: finds its JSON files and weight files, whatever the layout, and opens the weights.
// What the tensors should be is not known here.

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { GptOssError, type TensorView } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import type { JsonFile } from "../json.ts";
import { quote } from "../quote.ts";
import { readSafetensorsHeader } from "../safetensors/header.ts";
import { parseShardIndex } from "../shard-index.ts";
import { isViewable, tensorView } from "../tensor-views.ts";
import { openFile } from "./file-source.ts";
import { ioError } from "./io-error.ts";
import { maxTokenizerBytes, readText } from "./text-file.ts";

const indexName = "model.safetensors.index.json";
const singleName = "model.safetensors";

/** A folder that holds `config.json` and safetensors files. */
export interface CheckpointFolder {
  readonly path: string;
  readonly config: JsonFile;
  readonly generationConfig: JsonFile | undefined;
  readonly tokenizer: JsonFile | undefined;
}

/** Tensors of all weight files of a folder. */
export interface OpenTensors {
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** Tensors of storage types that cannot be viewed: name → dtype. */
  readonly unreadable: ReadonlyMap<string, string>;
  close(): Promise<void>;
}

/** Reads the JSON files of the folder, or of the `original/` inside it when the weights are there. */
export async function readFolder(path: string): Promise<CheckpointFolder> {
  const folder = await findFolder(path);
  // A repository keeps these two at its root, for both layouts.
  const root = basename(folder) === "original" ? dirname(folder) : folder;
  const beside = async (name: string, maxBytes?: number): Promise<JsonFile | undefined> =>
    (await readText(join(folder, name), maxBytes)) ?? (await readText(join(root, name), maxBytes));
  const config = await readText(join(folder, "config.json"));
  if (!config)
    throw new GptOssError("checkpoint/not-found", {
      message: `${folder}: has weights but no config.json`,
      hint: "fetch config.json from where the weights came from",
    });
  return {
    path: folder,
    config,
    generationConfig: await beside("generation_config.json"),
    tokenizer: await beside("tokenizer.json", maxTokenizerBytes),
  };
}

/** Opens the weight files and reads their headers. */
export async function openTensors(folder: string): Promise<OpenTensors> {
  const index = await readText(join(folder, indexName));
  // Transformers, too, prefers a single file to an index beside it.
  const names = await weightFiles(folder);
  if (index && !names.includes(singleName)) return openShards(folder, index);
  return openAll(folder, names.includes(singleName) ? [singleName] : names);
}

async function openShards(folder: string, index: JsonFile): Promise<OpenTensors> {
  const shardOf = parseShardIndex(index);
  const open = await openAll(folder, [...new Set(shardOf.values())].sort(), (tensor, shard) => {
    const expected = shardOf.get(tensor);
    return expected === undefined || expected === shard;
  });
  for (const [tensor, shard] of shardOf) {
    if (open.tensors.has(tensor) || open.unreadable.has(tensor)) continue;
    await open.close();
    throw new GptOssError("checkpoint/bad-index", {
      message: `${index.name}: tensor ${quote(tensor)} should be in ${quote(shard)}, which does not have it`,
      hint: "index and shards are of different models; fetch them again",
    });
  }
  return open;
}

/** Opens each file; `isWanted` says which of two copies of a tensor counts. */
async function openAll(
  folder: string,
  names: readonly string[],
  isWanted: (tensor: string, file: string) => boolean = () => true,
): Promise<OpenTensors> {
  const sources: ByteSource[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(sources.map((source) => source.close()));
  };
  const tensors = new Map<string, TensorView>();
  const unreadable = new Map<string, string>();
  try {
    for (const name of names) {
      const source = await openShard(join(folder, name));
      sources.push(source);
      for (const entry of (await readSafetensorsHeader(source)).tensors) {
        if (!isWanted(entry.name, name)) continue;
        if (tensors.has(entry.name) || unreadable.has(entry.name))
          throw new GptOssError("checkpoint/bad-tensor", {
            message: `${source.name}: tensor ${quote(entry.name)} is in another file of the folder, too`,
            hint: "remove the files that belong to another model",
          });
        if (isViewable(entry)) tensors.set(entry.name, tensorView(source, entry));
        else unreadable.set(entry.name, entry.dtype);
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { tensors, unreadable, close };
}

async function openShard(path: string): Promise<ByteSource> {
  try {
    return await openFile(path);
  } catch (error) {
    if (!GptOssError.isInstance(error) || error.code !== "checkpoint/not-found") throw error;
    throw new GptOssError("checkpoint/missing-shard", {
      message: `${path}: this shard of the model is missing`,
      hint: "the download is incomplete; fetch the missing file",
      cause: error,
    });
  }
}

async function findFolder(path: string): Promise<string> {
  try {
    if (!(await stat(path)).isDirectory())
      throw new GptOssError("checkpoint/not-found", {
        message: `${path}: expected a folder with config.json and .safetensors files`,
        hint: "give the folder, not a file in it",
      });
    for (const folder of [path, join(path, "original")])
      if ((await weightFiles(folder)).length > 0) return folder;
  } catch (error) {
    throw ioError(error, path);
  }
  throw new GptOssError("checkpoint/not-found", {
    message: `${path}: no .safetensors files here, nor in original/`,
    hint: "give the folder that holds config.json and the weights",
  });
}

async function weightFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.filter((name) => name.endsWith(".safetensors") || name === indexName).sort();
  } catch (error) {
    const failure = ioError(error, folder);
    if (failure.code === "checkpoint/not-found") return [];
    throw failure;
  }
}
