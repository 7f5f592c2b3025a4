// The models on this machine that a name can mean: those in the cache of Hugging Face's tools and in Ollama's stores.
// Opens each, headers only, so that what is listed as whole can be run.

import { stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { GptOssError } from "../../../base/index.ts";
import type { Checkpoint } from "../../checkpoint.ts";
import { formatHubName } from "../../names.ts";
import { parseShardIndex } from "../../shard-index.ts";
import { listSnapshots, namesIn, repositoryFolder, type Snapshot } from "../hub/cache.ts";
import { hubEnvironment, type Variables } from "../hub/environment.ts";
import { openCheckpoint } from "../open.ts";
import { readText } from "../text-file.ts";
import { listOllamaModels, ollamaStores } from "./ollama-store.ts";

export interface LocalModel {
  /** What to give to `--model`. */
  readonly name: string;
  readonly source: "hub" | "ollama";
  /** What is opened: a folder or a GGUF file. */
  readonly path: string;
  /** On the disk, without what else the repository has. */
  readonly bytes: number;
  readonly opened: Pick<Checkpoint, "layout" | "config"> | { readonly problem: string };
}

/** Every gpt-oss model in the shared places, whole or not. */
export async function localModels(variables: Variables = process.env): Promise<LocalModel[]> {
  const { cache } = hubEnvironment(variables);
  const found: LocalModel[] = [];
  for (const snapshot of await listSnapshots(cache)) found.push(...(await inSnapshot(cache, snapshot)));
  for (const { name, path } of await listOllamaModels(ollamaStores(variables)))
    found.push(await describeModel({ name, source: "ollama", path }));
  return found;
}

/** Their names alone, without opening them. */
export async function localNames(variables: Variables = process.env): Promise<string[]> {
  const snapshots = await listSnapshots(hubEnvironment(variables).cache);
  const stored = await listOllamaModels(ollamaStores(variables));
  return [...snapshots.map(({ name }) => formatHubName(name)), ...stored.map(({ name }) => name)];
}

async function inSnapshot(cache: string, snapshot: Snapshot): Promise<LocalModel[]> {
  const name = formatHubName(snapshot.name);
  const paths = await openablePaths(snapshot.path);
  if (paths.length === 0 || (await isUnfinished(snapshot.path))) {
    if (!(await isOfGptOss(snapshot))) return [];
    const { blobs } = repositoryFolder(cache, snapshot.name.repository);
    const bytes = (await bytesOf(snapshot.path)) + (await bytesOf(blobs, ".incomplete"));
    const problem = `unfinished: gpt-oss pull ${name} fetches the rest`;
    return [{ name, source: "hub", path: snapshot.path, bytes, opened: { problem } }];
  }
  const models: LocalModel[] = [];
  for (const path of paths) {
    const model = await describeModel({ name: paths.length === 1 ? name : path, source: "hub", path });
    if (!("problem" in model.opened) || (await isOfGptOss(snapshot))) models.push(model);
  }
  return models;
}

async function isUnfinished(folder: string): Promise<boolean> {
  try {
    return (await missingShards(folder)).length > 0;
  } catch (error) {
    if (GptOssError.isInstance(error)) return false; // what is wrong with its index is said when it is opened
    throw error;
  }
}

async function describeModel(place: Pick<LocalModel, "name" | "source" | "path">): Promise<LocalModel> {
  const bytes = await bytesOf(place.path);
  try {
    const { layout, config, close } = await openCheckpoint(place.path);
    await close();
    return { ...place, bytes, opened: { layout, config } };
  } catch (error) {
    if (!GptOssError.isInstance(error)) throw error;
    return { ...place, bytes, opened: { problem: error.message } };
  }
}

/** Models of other architectures share the cache. */
async function isOfGptOss({ name, path }: Snapshot): Promise<boolean> {
  const config = await readText(join(path, "config.json")).catch(() => undefined);
  return config ? /"gpt_oss"/.test(config.text) : /gpt-?oss/i.test(name.repository);
}

/**
 * What of a downloaded revision can be opened: the folder itself when there are safetensors files in it, else its GGUF
 * files, of split ones the first part.
 */
export async function openablePaths(folder: string): Promise<string[]> {
  const names = await namesIn(folder);
  const original = await namesIn(join(folder, "original"));
  if ([...names, ...original].some((name) => name.endsWith(".safetensors"))) return [folder];
  const nested = await Promise.all(
    names
      .filter((name) => !name.includes("."))
      .map(async (name) => (await namesIn(join(folder, name))).map((inner) => join(name, inner))),
  );
  return [...names, ...nested.flat()]
    .filter((name) => name.endsWith(".gguf") && !/-(?!00001-)\d{5}-of-\d{5}\.gguf$/.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** The shards that the folder's index lists and that are not there: an unfinished download. */
export async function missingShards(folder: string): Promise<string[]> {
  const names = new Set(await namesIn(folder));
  if (names.has("model.safetensors")) return [];
  const index = await readText(join(folder, "model.safetensors.index.json"));
  if (!index) return [];
  const shards = [...new Set(parseShardIndex(index).shardOf.values())];
  // A link whose blob is gone is there for readdir, and for no one else.
  const sizes = await Promise.all(shards.map((name) => sizeOf(join(folder, name))));
  return shards.filter((_, i) => sizes[i] === undefined);
}

/** Of a file and, when it is one of several, of its siblings; or of the files in a folder and in those inside it. */
async function bytesOf(path: string, suffix = ""): Promise<number> {
  const split = /^(.*-)\d{5}(-of-\d{5}\.gguf)$/.exec(basename(path));
  if (split) {
    const folder = join(path, "..");
    const parts = (await namesIn(folder)).filter(
      (name) => name.startsWith(split[1]) && name.endsWith(split[2]),
    );
    return sum(await Promise.all(parts.map((name) => sizeOf(join(folder, name)))));
  }
  const entries = await namesIn(path);
  if (entries.length === 0) return path.endsWith(suffix) ? ((await sizeOf(path)) ?? 0) : 0;
  return sum(await Promise.all(entries.map((name) => bytesOf(join(path, name), suffix))));
}

const sum = (sizes: readonly (number | undefined)[]): number =>
  sizes.reduce<number>((total, size) => total + (size ?? 0), 0);

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const { size } = await stat(path);
    return size;
  } catch {
    return undefined; // not there, or a link to nothing
  }
}
