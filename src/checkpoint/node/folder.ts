// A checkpoint folder on disk: finds its JSON files and weight files, whatever the layout, and opens the weights.
// What the tensors should be is not known here.

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { GptOssError } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import { type Companion, companionNames } from "../companions.ts";
import type { JsonFile } from "../json.ts";
import { type CollectedTensors, collectTensors } from "../safetensors/collect.ts";
import { parseShardIndex } from "../shard-index.ts";
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
  companions(): Promise<Companion[]>;
}

/** Tensors of all weight files of a folder, as the files name them; whether they make a model is not checked. */
export interface OpenTensors extends CollectedTensors {
  close(): Promise<void>;
}

/** Reads the JSON files of the folder, or of the `original/` inside it when the weights are there. */
export async function readFolder(path: string): Promise<CheckpointFolder> {
  const folder = await findFolder(resolve(path));
  // A repository keeps these at its root, for both layouts.
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
    companions: async () => {
      const found = await Promise.all(
        companionNames.map(async (name) => ({ name, text: (await beside(name))?.text })),
      );
      return found.flatMap(({ name, text }) => (text === undefined ? [] : [{ name, text }]));
    },
  };
}

/** Opens the weight files and reads their headers. */
export async function openTensors(folder: string): Promise<OpenTensors> {
  const present = await weightFiles(folder);
  // Transformers, too, prefers a single file to an index beside it.
  const isSingle = present.includes(singleName);
  const indexFile = isSingle ? undefined : await readText(join(folder, indexName));
  const index = indexFile && parseShardIndex(indexFile);
  const names = isSingle ? [singleName] : index ? [...new Set(index.shardOf.values())].sort() : present;

  const files = new Map<string, ByteSource>();
  const close = async (): Promise<void> => {
    await Promise.all([...files.values()].map((source) => source.close()));
  };
  try {
    for (const name of names) files.set(name, await openShard(join(folder, name)));
    return { ...(await collectTensors(files, index)), close };
  } catch (error) {
    await close();
    throw error;
  }
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
