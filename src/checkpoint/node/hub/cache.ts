// The cache of Hugging Face's tools on disk: `models--org--name/` with `blobs/` (files by their hash), `refs/` (branch →
// commit) and `snapshots/<commit>/` (links to blobs by file name). Knows folders; not what is in the files.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { HubName } from "../../names.ts";
import { ioError } from "../io-error.ts";

export interface RepositoryFolder {
  readonly path: string;
  readonly blobs: string;
  readonly refs: string;
  readonly snapshots: string;
}

export function repositoryFolder(cache: string, repository: string): RepositoryFolder {
  const path = join(cache, `models--${repository.replaceAll("/", "--")}`);
  return { path, blobs: join(path, "blobs"), refs: join(path, "refs"), snapshots: join(path, "snapshots") };
}

/** One downloaded revision of a repository; some of its files may be missing. */
export interface Snapshot {
  readonly name: HubName;
  readonly commit: string;
  readonly path: string;
}

/** The snapshot that a name means; undefined when nothing of it is here. Without a revision: main, or the only one. */
export async function findSnapshot(cache: string, name: HubName): Promise<Snapshot | undefined> {
  const snapshots = await listSnapshots(cache, name.repository);
  const { revision } = name;
  if (revision !== undefined)
    return (
      snapshots.find(({ name, commit }) => name.revision === revision || commit === revision) ??
      named(snapshots, await readRef(cache, name.repository, revision), name)
    );
  return (
    snapshots.find(({ name }) => name.revision === undefined) ??
    (snapshots.length === 1 ? { ...snapshots[0], name } : undefined)
  );
}

const named = (
  snapshots: readonly Snapshot[],
  commit: string | undefined,
  name: HubName,
): Snapshot | undefined => {
  const snapshot = snapshots.find((entry) => entry.commit === commit);
  return snapshot && { ...snapshot, name };
};

/**
 * Every snapshot of a repository, or of all. Named after its branch, of which main needs no name; one without a branch (an
 * unfinished download has none) by its commit, unless it is the only one.
 */
export async function listSnapshots(cache: string, only?: string): Promise<Snapshot[]> {
  const repositories = only === undefined ? await listRepositories(cache) : [only];
  const found: Snapshot[] = [];
  for (const repository of repositories) {
    const { refs, snapshots } = repositoryFolder(cache, repository);
    const branches = new Map<string, string>();
    for (const ref of (await namesIn(refs)).sort()) {
      const commit = await readRef(cache, repository, ref);
      if (commit !== undefined && (!branches.has(commit) || ref === "main")) branches.set(commit, ref);
    }
    const commits = (await namesIn(snapshots)).filter((name) => /^[0-9a-f]{40}$/.test(name)).sort();
    for (const commit of commits) {
      const revision = branches.get(commit) ?? (commits.length === 1 ? "main" : commit);
      const name: HubName = { kind: "hub", repository, ...(revision !== "main" && { revision }) };
      found.push({ name, commit, path: join(snapshots, commit) });
    }
  }
  return found;
}

async function listRepositories(cache: string): Promise<string[]> {
  const names = (await namesIn(cache)).sort();
  return names.flatMap((name) => {
    const [kind, ...parts] = name.split("--");
    return kind === "models" && parts.length === 2 ? [parts.join("/")] : [];
  });
}

async function readRef(cache: string, repository: string, ref: string): Promise<string | undefined> {
  try {
    const text = await readFile(join(repositoryFolder(cache, repository).refs, ref), "utf8");
    return /^[0-9a-f]{40}$/.test(text.trim()) ? text.trim() : undefined;
  } catch {
    return undefined; // a folder (`refs/pr/`), or gone since it was listed
  }
}

/** What is in a folder; nothing when there is no such folder. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const failure = ioError(error, folder);
    if (failure.code === "checkpoint/not-found") return [];
    throw failure;
  }
}
