// Ollama's models on disk: `manifests/<host>/<namespace>/<model>/<tag>` is a JSON list of layers, and the layer with the
// model is a GGUF file in `blobs/`, named after its hash. https://github.com/ollama/ollama/blob/main/docs/faq.md

import { homedir } from "node:os";
import { join } from "node:path";
import { GptOssError } from "../../../base/index.ts";
import { type Complaint, complain, isObject, type JsonObject, parseJsonObject } from "../../json.ts";
import { formatOllamaName, type OllamaName } from "../../names.ts";
import { namesIn } from "../hub/cache.ts";
import { expandHome, type Variables } from "../hub/environment.ts";
import { readText } from "../text-file.ts";

export interface OllamaModel {
  /** As it is given to `--model`. */
  readonly name: string;
  /** The GGUF file. */
  readonly path: string;
  /** What Ollama calls the architecture: `gptoss`. */
  readonly family: string | undefined;
}

/** Where stores may be: one of the user's own, or that of the service which Ollama's installer sets up on Linux. */
export function ollamaStores(variables: Variables = process.env): readonly string[] {
  const own = variables.OLLAMA_MODELS;
  if (own) return [expandHome(own)];
  return [join(homedir(), ".ollama", "models"), "/usr/share/ollama/.ollama/models"];
}

/** Undefined when no store has it. Throws `checkpoint/bad-index` for a manifest that names no model. */
export async function findOllamaModel(
  stores: readonly string[],
  name: OllamaName,
): Promise<OllamaModel | undefined> {
  for (const store of stores) {
    const model = await readManifest(store, name);
    if (model) return model;
  }
  return undefined;
}

/** All of gpt-oss's architecture; those of other architectures, and damaged ones, are left out. */
export async function listOllamaModels(stores: readonly string[]): Promise<OllamaModel[]> {
  const found = new Map<string, OllamaModel>();
  for (const store of stores) {
    for (const name of await manifestNames(store)) {
      const model = await readManifest(store, name).catch(() => undefined);
      if (model && /^gpt-?oss$/.test(model.family ?? "") && !found.has(model.name))
        found.set(model.name, model);
    }
  }
  return [...found.values()];
}

async function manifestNames(store: string): Promise<OllamaName[]> {
  const root = join(store, "manifests");
  const names: OllamaName[] = [];
  for (const host of await foldersIn(root))
    for (const namespace of await foldersIn(join(root, host)))
      for (const model of await foldersIn(join(root, host, namespace)))
        for (const tag of await foldersIn(join(root, host, namespace, model)))
          names.push({ kind: "ollama", host, namespace, model, tag });
  return names;
}

const foldersIn = async (folder: string): Promise<string[]> =>
  (await namesIn(folder)).filter((name) => !name.startsWith(".")).sort();

const complaint: Complaint = {
  code: "checkpoint/bad-index",
  hint: "the manifest in Ollama's store is damaged; let Ollama pull the model again",
};

async function readManifest(store: string, name: OllamaName): Promise<OllamaModel | undefined> {
  const { host, namespace, model, tag } = name;
  const file = await readText(join(store, "manifests", host, namespace, model, tag));
  if (!file) return undefined;
  const { layers, config } = parseJsonObject(file, complaint);
  const layer = (Array.isArray(layers) ? layers : [])
    .filter(isObject)
    .find(({ mediaType }) => mediaType === "application/vnd.ollama.image.model");
  const path = layer && blobPath(store, layer);
  if (path === undefined) throw complain(complaint, `${file.name}: names no model file`);
  const about = isObject(config) ? blobPath(store, config) : undefined;
  return { name: formatOllamaName(name), path, family: about && (await readFamily(about)) };
}

function blobPath(store: string, { digest }: JsonObject): string | undefined {
  const hash = typeof digest === "string" ? /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1] : undefined;
  return hash && join(store, "blobs", `sha256-${hash}`);
}

async function readFamily(path: string): Promise<string | undefined> {
  try {
    const file = await readText(path);
    const family = file && parseJsonObject(file, complaint).model_family;
    return typeof family === "string" ? family : undefined;
  } catch (error) {
    if (GptOssError.isInstance(error)) return undefined; // then it is not known to be gpt-oss
    throw error;
  }
}
