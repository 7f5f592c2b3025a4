// A cache of Hugging Face's tools and an Ollama store for tests, made of links to models that lie elsewhere.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

export interface CachedRepository {
  readonly repository: string;
  /** Files to link; a folder stands for what is in it. */
  readonly from: string;
  /** Only these files of it; default: all. */
  readonly only?: (file: string) => boolean;
  /** Branch that names it; none: known by its commit alone. */
  readonly branch?: string | undefined;
  /** Copies that a test may damage, in place of links. */
  readonly isCopied?: boolean;
}

/** → the commit. Blobs have the names that the hub would give them. */
export function addToCache(
  cache: string,
  { repository, from, only = () => true, branch, isCopied = false }: CachedRepository,
): string {
  const folder = join(cache, `models--${repository.replaceAll("/", "--")}`);
  const commit = createHash("sha1").update(`${repository}@${branch}`).digest("hex");
  const snapshot = join(folder, "snapshots", commit);
  const files = from.endsWith(".gguf") ? [from] : readdirSync(from).map((file) => join(from, file));
  for (const path of [snapshot, join(folder, "blobs"), join(folder, "refs")])
    mkdirSync(path, { recursive: true });
  for (const path of files.filter((path) => only(basename(path)))) {
    const blob = hubHash(readFileSync(path));
    if (isCopied) writeFileSync(join(folder, "blobs", blob), readFileSync(path));
    else if (!existsSync(join(folder, "blobs", blob))) symlinkSync(path, join(folder, "blobs", blob));
    symlinkSync(join("../../blobs", blob), join(snapshot, basename(path)));
  }
  if (branch !== undefined) {
    const ref = join(folder, "refs", branch);
    mkdirSync(dirname(ref), { recursive: true });
    writeFileSync(ref, commit);
  }
  return commit;
}

/** Large files are named by SHA-256, small ones as git names them. */
export function hubHash(bytes: Uint8Array): string {
  const isLarge = bytes.length > 100_000;
  const hash = isLarge ? createHash("sha256") : createHash("sha1").update(`blob ${bytes.length}\0`);
  return hash.update(bytes).digest("hex");
}

export interface OllamaEntry {
  /** `gpt-oss:20b` */
  readonly name: string;
  readonly gguf: string;
  readonly family?: string;
  readonly namespace?: string;
}

/** Ollama's folders: a manifest, and blobs named after their hashes. */
export function addToOllama(
  store: string,
  { name, gguf, family = "gptoss", namespace = "library" }: OllamaEntry,
): void {
  const [model, tag] = name.split(":");
  const manifests = join(store, "manifests/registry.ollama.ai", namespace, model);
  for (const path of [manifests, join(store, "blobs")]) mkdirSync(path, { recursive: true });
  const bytes = readFileSync(gguf);
  const config = Buffer.from(JSON.stringify({ model_format: "gguf", model_family: family }));
  const digests = [bytes, config].map((content) => {
    const hex = createHash("sha256").update(content).digest("hex");
    writeFileSync(join(store, "blobs", `sha256-${hex}`), content);
    return { digest: `sha256:${hex}`, size: content.length };
  });
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: "application/vnd.docker.container.image.v1+json", ...digests[1] },
    layers: [{ mediaType: "application/vnd.ollama.image.model", ...digests[0] }],
  };
  writeFileSync(join(manifests, tag), JSON.stringify(manifest));
}
