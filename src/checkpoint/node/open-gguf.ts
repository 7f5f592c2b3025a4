// GGUF files on disk: one, all parts of one that was split, or the only one in a folder.

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { GptOssError } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { collectGguf, ggufPartNames } from "../gguf/collect.ts";
import { createGgufCheckpoint } from "../gguf/create-gguf-checkpoint.ts";
import type { DecodeOptions } from "../gguf/dense-view.ts";
import { openFile } from "./file-source.ts";

/** Opens the file and, where its name says that it is one of several parts, the others beside it. */
export async function openGguf(path: string, options: DecodeOptions): Promise<Checkpoint> {
  const absolute = resolve(path);
  const names = ggufPartNames(basename(absolute)) ?? [basename(absolute)];
  const files: ByteSource[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(files.map((file) => file.close()));
  };
  try {
    for (const name of names) files.push(await openPart(join(dirname(absolute), name), names.length));
    return createGgufCheckpoint({ ...(await collectGguf(files)), ...options, path: absolute, close });
  } catch (error) {
    await close();
    throw error;
  }
}

async function openPart(path: string, parts: number): Promise<ByteSource> {
  try {
    return await openFile(path);
  } catch (error) {
    const isMissing = GptOssError.isInstance(error) && error.code === "checkpoint/not-found";
    if (!isMissing || parts === 1) throw error;
    throw new GptOssError("checkpoint/missing-shard", {
      message: `${path}: this part of the model is missing`,
      hint: "the download is incomplete; fetch the missing file into the same folder",
      cause: error,
    });
  }
}

/**
 * The GGUF file that a path means, if it means one: a file with that ending or that beginning (Ollama's have no
 * ending), or a folder in which there is one model and it is a GGUF file.
 */
export async function findGguf(path: string): Promise<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return findInFolder(path);
  if (path.toLowerCase().endsWith(".gguf")) return path;
  return found?.isFile() && (await beginsAsGguf(path)) ? path : undefined;
}

async function beginsAsGguf(path: string): Promise<boolean> {
  const file = await openFile(path);
  try {
    return file.size >= 4 && new TextDecoder("latin1").decode(await file.read(0, 4)) === "GGUF";
  } finally {
    await file.close();
  }
}

async function findInFolder(folder: string): Promise<string | undefined> {
  const names = await readdir(folder);
  if (names.some((name) => name.endsWith(".safetensors") || name === "original")) return undefined;
  const isLaterPart = (name: string): boolean => (ggufPartNames(name) ?? [name])[0] !== name;
  const models = names.filter((name) => name.toLowerCase().endsWith(".gguf") && !isLaterPart(name)).sort();
  if (models.length <= 1) return models.length === 0 ? undefined : join(folder, models[0]);
  throw new GptOssError("checkpoint/not-found", {
    message: `${folder}: has several models: ${models.slice(0, 8).join(", ")}${models.length > 8 ? ", …" : ""}`,
    hint: "give the one that is meant",
  });
}
