// What people call a model, and what that may mean: a path, a Hugging Face id, a short name, a name in Ollama's store.
// Knows how names are written and which models OpenAI published; not what lies on this machine, nor where.

import { quote } from "./quote.ts";

export type ModelName =
  | { readonly kind: "embedded" }
  /** Can only be a folder or a file. */
  | { readonly kind: "path"; readonly path: string }
  | HubName
  | OllamaName
  /** One word, to be looked for among published models and those on this machine: see `chooseModel`. */
  | { readonly kind: "short"; readonly name: string };

/** `openai/gpt-oss-20b`, `openai/gpt-oss-20b@refs/pr/3`. */
export interface HubName {
  readonly kind: "hub";
  readonly repository: string;
  /** Branch, tag or commit. Default: main. */
  readonly revision?: string;
}

/** `ollama:gpt-oss:20b`; in full `ollama:registry.ollama.ai/library/gpt-oss:20b`. */
export interface OllamaName {
  readonly kind: "ollama";
  readonly host: string;
  readonly namespace: string;
  readonly model: string;
  readonly tag: string;
}

const ollamaHost = "registry.ollama.ai";
const ollamaNamespace = "library";

// Neither can begin with a dot, so that no name leads out of the folder that it is looked up in.
const hubPattern = /^([A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*)(?:@([A-Za-z0-9_][\w./-]*))?$/;
const ollamaPattern =
  /^(?:(?:([A-Za-z0-9][\w.-]*(?::\d+)?)\/)?([A-Za-z0-9_][\w.-]*)\/)?([A-Za-z0-9_][\w.-]*)(?::([A-Za-z0-9_][\w.-]*))?$/;
const pathPattern = /^[./~]|^[A-Za-z]:[\\/]|\\|\.(?:gguf|safetensors|json)$/;

/** How a name is written. Undefined for what can be no name. A folder of that name, if there is one, goes first. */
export function parseModelName(text: string): ModelName | undefined {
  if (text === "embedded") return { kind: "embedded" };
  if (text.startsWith("ollama:")) return parseOllamaName(text.slice("ollama:".length));
  if (pathPattern.test(text)) return { kind: "path", path: text };
  const [, repository, revision] = hubPattern.exec(text) ?? [];
  if (repository !== undefined) {
    if (text.includes("..") || repository.includes("--")) return undefined;
    return { kind: "hub", repository, ...(revision !== undefined && { revision }) };
  }
  if (text.includes("/")) return { kind: "path", path: text };
  return text === "" ? undefined : { kind: "short", name: text };
}

function parseOllamaName(text: string): OllamaName | undefined {
  const match = text.includes("..") ? null : ollamaPattern.exec(text);
  if (!match) return undefined;
  const [, host = ollamaHost, namespace = ollamaNamespace, model, tag = "latest"] = match;
  return { kind: "ollama", host, namespace, model, tag };
}

/** The name as short as it can be given. */
export function formatOllamaName({ host, namespace, model, tag }: Omit<OllamaName, "kind">): string {
  const place =
    host === ollamaHost ? (namespace === ollamaNamespace ? "" : `${namespace}/`) : `${host}/${namespace}/`;
  return `ollama:${place}${model}:${tag}`;
}

export const formatHubName = ({ repository, revision }: HubName): string =>
  revision === undefined ? repository : `${repository}@${revision}`;

interface Published {
  readonly repository: string;
  readonly short: readonly string[];
  readonly ollama: string;
}

/** What OpenAI published, by the words that people use for it. */
const published: readonly Published[] = ["20b", "120b", "safeguard-20b", "safeguard-120b"].map((size) => {
  const ollama = size.startsWith("safeguard-") ? `gpt-oss-safeguard:${size.slice(10)}` : `gpt-oss:${size}`;
  return {
    repository: `openai/gpt-oss-${size}`,
    short: [`gpt-oss-${size}`, size, ollama],
    ollama: `ollama:${ollama}`,
  };
});

export const isPublished = (repository: string): boolean =>
  published.some((model) => model.repository === repository);

export type Choice =
  | { readonly kind: "found"; readonly name: string }
  /** A published model that is not on this machine. */
  | { readonly kind: "absent"; readonly repository: string }
  | { readonly kind: "ambiguous"; readonly names: readonly string[] }
  | { readonly kind: "unknown" };

/**
 * Which model a short name means, given the names of those on this machine: a published one, from Hugging Face before
 * Ollama; or the one whose name ends so.
 */
export function chooseModel(short: string, local: readonly string[]): Choice {
  const name = short.toLowerCase();
  const model = published.find((entry) => entry.short.includes(name));
  if (model) {
    const found = [model.repository, model.ollama].find((full) => local.includes(full));
    return found === undefined
      ? { kind: "absent", repository: model.repository }
      : { kind: "found", name: found };
  }
  const names = local.filter((full) => lastPart(full) === name);
  if (names.length === 0) return { kind: "unknown" };
  return names.length === 1 ? { kind: "found", name: names[0] } : { kind: "ambiguous", names };
}

/** `me/My-Model@v2` → `my-model@v2`, `ollama:gpt-oss:20b` → `gpt-oss:20b` */
const lastPart = (name: string): string =>
  name
    .replace(/^ollama:/, "")
    .replace(/^.*\//, "")
    .toLowerCase();

/** Names that someone who typed `name` may have meant, nearest first: published ones and those on this machine. */
export function nearNames(name: string, local: readonly string[]): readonly string[] {
  const wanted = lastPart(name);
  const known = new Set([...published.flatMap(({ short }) => short.slice(0, 2)), ...local]);
  known.delete(name);
  return [...known]
    .map((candidate) => ({ candidate, distance: distanceOf(wanted, lastPart(candidate)) }))
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 4)
    .map(({ candidate }) => candidate);
}

/** A large part of the other is as near as one mistyped letter. */
function distanceOf(a: string, b: string): number {
  const [shorter, longer] = a.length < b.length ? [a, b] : [b, a];
  return shorter.length * 2 > longer.length && longer.includes(shorter)
    ? 1
    : editDistance(a.slice(0, 100), b.slice(0, 100));
}

/** Letters to insert, delete or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** For the hint under an error: what may have been meant, and what there is. */
export function describeNames(name: string, local: readonly string[]): string {
  const near = nearNames(name, local);
  const listed = local.length > 6 ? [...local.slice(0, 6), "…"] : local;
  return [
    ...(near.length === 0 ? [] : [`near: ${near.join(", ")}`]),
    `on this machine: ${listed.map((entry) => (entry.length > 100 ? quote(entry, 100) : entry)).join(", ")}`,
  ].join("; ");
}
