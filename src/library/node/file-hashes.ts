// Files against the hashes under which the hub and Ollama listed them. Both name what they download after its hash, and
// `hf download --local-dir` notes it beside the files, so this needs no network.

import { access, readdir, readFile, realpath, stat } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";
import { hashOfFile, ioError } from "../../checkpoint/node/index.ts";
import { type Check, shortList, type VerifyProgress } from "../verify/check.ts";

interface HashedFile {
  /** As the model calls it. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  /** Undefined where none was recorded. */
  readonly hash: FileHash | undefined;
}

interface FileHash {
  readonly kind: "sha256" | "git";
  readonly hex: string;
}

export interface HashOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

/** Throws `checkpoint/not-found` and `checkpoint/io` for files that are not there, or cannot be read. */
export async function filesCheck(path: string, options: HashOptions): Promise<Check> {
  try {
    return await checkFiles(path, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw ioError(error, (error as NodeJS.ErrnoException).path ?? path);
  }
}

async function checkFiles(path: string, { signal, onProgress }: HashOptions): Promise<Check> {
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
      detail: "no hashes are recorded beside these files",
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
  const isFolder = (await stat(path)).isDirectory();
  const paths = isFolder ? await filesUnder(path) : await withItsParts(path);
  const notes = await findNotes(isFolder ? path : dirname(path));
  return Promise.all(paths.map((file) => hashedFile(file, notes)));
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const nested = entries
    .filter(({ name }) => !name.startsWith(".")) // of tools, such as the notes below
    .map(async (entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesUnder(path) : [path];
    });
  return (await Promise.all(nested)).flat().sort();
}

/** Where `hf download --local-dir` notes what it fetched; the folder may be the `original/` inside. */
const notesFolder = ".cache/huggingface/download";

/** The folder with notes about `folder`'s files: it, or the one around it. */
async function findNotes(folder: string): Promise<string | undefined> {
  for (const root of [folder, dirname(folder)]) {
    const isThere = await access(join(root, notesFolder)).then(
      () => true,
      () => false,
    );
    if (isThere) return root;
  }
  return undefined;
}

/** Three lines: commit, hash, time. */
async function notedHash(root: string, path: string): Promise<FileHash | undefined> {
  const file = join(root, notesFolder, `${relative(root, path)}.metadata`);
  const text = await readFile(file, "utf8").catch(() => ""); // it was not downloaded
  return hashOf(text.split("\n")[1]?.trim() ?? "");
}

function hashOf(hex: string): FileHash | undefined {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hex)) return undefined;
  return { kind: hex.length === 64 ? "sha256" : "git", hex };
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
async function hashedFile(path: string, notes: string | undefined): Promise<HashedFile> {
  const real = await realpath(path);
  const isInCache = /^models--/.test(dirname(real).split(sep).at(-2) ?? "");
  const [, prefix, hex = ""] = /^(sha256-)?(.*)$/.exec(basename(real)) ?? [];
  const isBlob = basename(dirname(real)) === "blobs" && (prefix !== undefined || isInCache);
  const hash = isBlob ? hashOf(hex) : notes && (await notedHash(notes, path));
  return { name: basename(path), path: real, size: (await stat(real)).size, hash: hash || undefined };
}
