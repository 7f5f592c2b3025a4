// From a name to what is opened. Looks on this machine only; fetching is `pull`.

import { access } from "node:fs/promises";
import { GptOssError } from "../../../base/index.ts";
import {
  chooseModel,
  describeNames,
  formatHubName,
  formatOllamaName,
  type HubName,
  isPublished,
  nearNames,
  type OllamaName,
  parseModelName,
} from "../../names.ts";
import { quote } from "../../quote.ts";
import { findSnapshot, listSnapshots } from "../hub/cache.ts";
import { expandHome, hubEnvironment, type Variables } from "../hub/environment.ts";
import { localNames, missingShards, openablePaths } from "./local-models.ts";
import { findOllamaModel, ollamaStores } from "./ollama-store.ts";

/**
 * The path of a model by any of its names: a path, `org/name` with or without `@revision`, a short name, `ollama:…`.
 * A folder or file of that name goes first.
 *
 * Errors: `checkpoint/unknown-model`, `checkpoint/ambiguous-name`; `checkpoint/not-pulled` for a model that can be
 * pulled and is not, or not wholly, on this machine. That a path leads nowhere is left for `openCheckpoint` to say.
 */
export async function findModel(name: string, variables: Variables = process.env): Promise<string> {
  const path = expandHome(name);
  if (name !== "" && (await exists(path))) return path;
  const parsed = parseModelName(name);
  switch (parsed?.kind) {
    case "path":
      return path;
    case "hub":
      return findInCache(parsed, variables);
    case "ollama":
      return findInOllama(parsed, variables);
    case "short":
      return findByShortName(parsed.name, variables);
    case "embedded":
    case undefined:
      throw await unknown(name, variables);
    default:
      return parsed satisfies never;
  }
}

/**
 * What `pull` fetches for this name. Throws `checkpoint/unknown-model` for what is not on the hub, with the nearest
 * published names.
 */
export function hubNameOf(name: string): HubName {
  const parsed = parseModelName(name);
  if (parsed?.kind === "hub") return parsed;
  const choice = parsed?.kind === "short" ? chooseModel(parsed.name, []) : undefined;
  if (choice?.kind === "absent") return { kind: "hub", repository: choice.repository };
  const near = nearNames(name, []);
  const hints = {
    ollama: `Ollama fetches its own: ollama pull ${name.slice("ollama:".length)}`,
    near:
      near.length > 0
        ? `near: ${near.join(", ")}`
        : "pull takes 20b, 120b or org/name, with @revision if need be",
  };
  throw new GptOssError("checkpoint/unknown-model", {
    message: `${quote(name)} is not the name of a model on a hub`,
    hint: parsed?.kind === "ollama" ? hints.ollama : hints.near,
  });
}

async function findInCache(name: HubName, variables: Variables): Promise<string> {
  const { cache } = hubEnvironment(variables);
  const snapshot = await findSnapshot(cache, name);
  const full = formatHubName(name);
  if (!snapshot) {
    const others = await listSnapshots(cache, name.repository);
    if (others.length > 0 && name.revision === undefined)
      throw ambiguous(
        full,
        others.map((other) => formatHubName(other.name)),
      );
    const local = await known(variables);
    const isNamesake = (other: string): boolean => baseName(other) === baseName(name.repository);
    throw notPulled(full, isPublished(name.repository) ? local.filter(isNamesake) : local);
  }
  const paths = await openablePaths(snapshot.path);
  if (paths.length > 1) throw ambiguous(full, paths);
  const missing = paths.length === 0 ? 1 : (await missingShards(snapshot.path)).length;
  if (missing === 0) return paths[0];
  throw new GptOssError("checkpoint/not-pulled", {
    message: `${full} is only partly on this machine`,
    hint: `gpt-oss pull ${full} fetches the rest`,
  });
}

async function findInOllama(name: OllamaName, variables: Variables): Promise<string> {
  const stores = ollamaStores(variables);
  const model = await findOllamaModel(stores, name);
  if (model) return model.path;
  const full = formatOllamaName(name);
  throw new GptOssError("checkpoint/unknown-model", {
    message: `${full} is not in Ollama's store, ${stores.join(" or ")}`,
    hint: `ollama pull ${full.slice("ollama:".length)} fetches it; ${describeNames(full, await known(variables))}`,
  });
}

async function findByShortName(name: string, variables: Variables): Promise<string> {
  const local = await localNames(variables);
  const choice = chooseModel(name, local);
  switch (choice.kind) {
    case "found":
      return findModel(choice.name, variables);
    case "absent":
      // Parts of it may be here without a branch of that name.
      return findInCache({ kind: "hub", repository: choice.repository }, variables);
    case "ambiguous":
      throw ambiguous(name, choice.names);
    case "unknown":
      throw await unknown(name, variables);
    default:
      return choice satisfies never;
  }
}

/** `me/Tuned@v2` → `tuned` */
const baseName = (name: string): string => name.replace(/^.*\/|@.*$/g, "").toLowerCase();

const known = async (variables: Variables): Promise<string[]> => [
  "embedded",
  ...(await localNames(variables)),
];

async function unknown(name: string, variables: Variables): Promise<GptOssError> {
  return new GptOssError("checkpoint/unknown-model", {
    message: `there is no model ${quote(name)}: no folder or file, and no name of a model on this machine`,
    hint: describeNames(name, await known(variables)),
  });
}

function ambiguous(name: string, names: readonly string[]): GptOssError {
  return new GptOssError("checkpoint/ambiguous-name", {
    message: `${quote(name)} may be any of ${names.length} models`,
    hint: `say which: ${[...names].sort().join(", ")}`,
  });
}

/** `local`: names to list. A published model's name needs no help, but someone else's copy may be meant. */
function notPulled(name: string, local: readonly string[]): GptOssError {
  const names = local.length > 0 ? `; ${describeNames(name, local)}` : "";
  return new GptOssError("checkpoint/not-pulled", {
    message: `${name} is not on this machine`,
    hint: `gpt-oss pull ${name} fetches it${names}`,
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
