// Files against the hashes under which the hub and Ollama listed them: both name what they download after its hash, so
// this needs no network.

import { readdir, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, sep } from "node:path";
import { hashOfFile } from "../../checkpoint/node/index.ts";
import { type Check, shortList, type VerifyProgress } from "../verify/check.ts";

interface HashedFile {
  /** As the model calls it. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  /** Undefined where none was recorded. */
  readonly hash: { readonly kind: "sha256" | "git"; readonly hex: string } | undefined;
}

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export async function filesCheck(path: string, { signal, onProgress }: HashOptions): Promise<Check> {
  const files = await filesOf(path);
  const checkable = files.filter(({ hash }) => hash !== undefined);
  const total = checkable.reduce((sum, { size }) => sum + size, 0);
  const wrong: string[] = [];
  let done = 0;
  for (const { name, path, hash } of checkable) {
    const onBytes = (more: number): void => onProgress?.({ check: "files", done: (done += more), total });
    if (hash && (await hashOfFile(path, hash.kind, { signal, onBytes })) !== hash.hex) wrong.push(name);
  }
  const figures = { files: files.length, checked: checkable.length, bytes: total, wrong };
  if (checkable.length === 0)
    return {
      name: "files",
      status: "skipped",
      detail: "no hashes are recorded for files in a plain folder",
      figures,
    };
  const unknown = files.length - checkable.length;
  const rest = unknown > 0 ? `; ${unknown} without a recorded hash` : "";
  if (wrong.length > 0)
    return {
      name: "files",
      status: "failed",
      detail: `not what was published: ${shortList(wrong)}${rest}`,
      figures,
    };
  return {
    name: "files",
    status: "passed",
    detail: `${checkable.length} have the published hashes${rest}`,
    figures,
  };
}

async function filesOf(path: string): Promise<HashedFile[]> {
  const paths = (await stat(path)).isDirectory() ? await filesUnder(path) : await withItsParts(path);
  return Promise.all(paths.map(hashedFile));
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const nested = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
  return (await Promise.all(nested)).flat().sort();
}

/** Split GGUF files lie side by side. */
async function withItsParts(path: string): Promise<string[]> {
  const [, start, end] = /^(.*-)\d{5}(-of-\d{5}\.gguf)$/.exec(basename(path)) ?? [];
  if (start === undefined) return [path];
  const names = await readdir(dirname(path));
  return names
    .filter((name) => name.startsWith(start) && name.endsWith(end))
    .map((name) => join(dirname(path), name));
}

/** `…/models--org--name/blobs/<hash>` of Hugging Face's cache, `…/blobs/sha256-<hash>` of Ollama's store. */
async function hashedFile(path: string): Promise<HashedFile> {
  const real = await realpath(path);
  const isInCache = /^models--/.test(dirname(real).split(sep).at(-2) ?? "");
  const [, prefix, hex] = /^(sha256-)?([0-9a-f]{40}|[0-9a-f]{64})$/.exec(basename(real)) ?? [];
  const isBlob = basename(dirname(real)) === "blobs" && (prefix !== undefined || isInCache);
  const hash = isBlob && hex ? ({ kind: hex.length === 64 ? "sha256" : "git", hex } as const) : undefined;
  return { name: basename(path), path: real, size: (await stat(real)).size, hash };
}
