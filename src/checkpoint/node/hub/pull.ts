// `pull`: a model from a hub into the cache that Python's tools share. Plans first (what, how much, is there room), then
// fetches; every file gets its name only when it is whole, and the branch its name when all are.

import { mkdir, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { GptOssError } from "../../../base/index.ts";
import { cacheBytes } from "../../counts.ts";
import { formatHubName, type HubName } from "../../names.ts";
import { parseConfig } from "../../parse-config.ts";
import { freeBytes, inUnits, refuseFullDisk } from "../disk-room.ts";
import { ioError } from "../io-error.ts";
import { repositoryFolder } from "./cache.ts";
import { chooseFiles, type FileWishes, type PullLayout } from "./choose-files.ts";
import { downloadBlob, hashOfFile, partialBytes, partialPath } from "./download-blob.ts";
import { type HubEnvironment, hubEnvironment, readToken } from "./environment.ts";
import { fetchText, type HubFile, listRepository } from "./listing.ts";
import { withLock } from "./lock.ts";
import { type Patience, type RetryOptions, retrying, usualPatience } from "./patience.ts";
import { createHubRequest, type HubRequest } from "./request.ts";
import { removeStalePartials } from "./stale-partials.ts";
import { createTransferMeter, type TransferProgress } from "./transfer-meter.ts";

export interface PullOptions {
  readonly signal?: AbortSignal | undefined;
  /** What failed and is tried again, or was waited for or tidied up; for people. */
  readonly onTrouble?: ((message: string) => void) | undefined;
}

export interface PlanOptions extends FileWishes, PullOptions {
  /** Default: that of the process. */
  readonly environment?: HubEnvironment;
  readonly patience?: Partial<Patience>;
  /** Read what is here, and fetch again what has not its hash. Default: what has its size is taken for whole. */
  readonly check?: boolean | undefined;
}

/** What a pull will do. Nothing was written yet. */
export interface PullPlan {
  readonly name: HubName;
  readonly commit: string;
  readonly layout: PullLayout;
  readonly files: readonly HubFile[];
  readonly totalBytes: number;
  /** Of files that are here and are not what was published: hashes. They are fetched again. */
  readonly damaged: readonly string[];
  /** Still to be fetched. */
  readonly missingBytes: number;
  /** On the disk that holds the cache. */
  readonly freeBytes: number;
  /** Of weights, and of a cache for `contextTokens`; of weights alone where the shape is not known yet. */
  readonly memoryBytes: number;
  /** Where the model will be. */
  readonly path: string;
  readonly patience: Patience;
  readonly environment: HubEnvironment;
  readonly request: HubRequest;
}

/** A conversation of usual length. */
export const plannedContextTokens = 8192;

/**
 * Asks the hub what a model consists of. Errors: `checkpoint/hub-…`; `checkpoint/bad-config` for a model of another
 * architecture; `checkpoint/ambiguous-name` for a repository of several GGUF models.
 */
export async function planPull(name: HubName, options: PlanOptions = {}): Promise<PullPlan> {
  const { environment = hubEnvironment(), signal, onTrouble } = options;
  if (environment.isOffline)
    throw new GptOssError("checkpoint/hub-offline", {
      message: `${formatHubName(name)} cannot be pulled: HF_HUB_OFFLINE forbids to use the network`,
      hint: "unset HF_HUB_OFFLINE (and TRANSFORMERS_OFFLINE)",
    });
  const patience = { ...usualPatience, stallMs: environment.stallMs, ...options.patience };
  const request = createHubRequest(environment.endpoint, await readToken(environment));
  const retry: RetryOptions = { patience, signal, onTrouble };
  const { commit, files: all } = await listRepository(request, name, retry);
  const { layout, files, weightBytes } = chooseFiles(name.repository, all, options);
  const folder = repositoryFolder(environment.cache, name.repository);
  const path = join(folder.snapshots, commit);
  const damaged = options.check ? await damagedFiles(files, { blobs: folder.blobs, path, signal }) : [];
  const plan = { name, commit, layout, files, damaged, patience, environment, request, path };
  return {
    ...plan,
    totalBytes: files.reduce((sum, { size }) => sum + size, 0),
    missingBytes: await missingBytes(environment.cache, plan),
    freeBytes: await freeBytes(environment.cache),
    memoryBytes: weightBytes + (await contextBytes(plan, retry)),
  };
}

/**
 * Fetches what is missing, several files at once; → the model's folder. Aborting rejects with the signal's reason and
 * keeps what came for the next pull.
 *
 * Errors: `checkpoint/disk-full` before anything is fetched, `checkpoint/wrong-hash`, `checkpoint/hub-…`.
 */
export async function pull(
  plan: PullPlan,
  options: PullOptions & { readonly onProgress?: (progress: TransferProgress) => void } = {},
): Promise<string> {
  const { signal, onTrouble } = options;
  const { cache } = plan.environment;
  const lock = join(
    cache,
    ".locks",
    `models--${plan.name.repository.replaceAll("/", "--")}`,
    "gpt-oss-pull.lock",
  );
  const onWait = (): void => onTrouble?.("another pull of this model is under way; waiting for it");
  try {
    await withLock(lock, () => fetchMissing(plan, options), { signal, onWait });
    return plan.path;
  } catch (error) {
    signal?.throwIfAborted();
    throw ioError(error, cache);
  }
}

/** More connections gain nothing on a fast line and starve others on a slow one. */
const filesAtOnce = 4;

async function fetchMissing(plan: PullPlan, options: Parameters<typeof pull>[1] & {}): Promise<void> {
  const { name, files, totalBytes, environment } = plan;
  const { blobs, refs } = repositoryFolder(environment.cache, name.repository);
  await mkdir(blobs, { recursive: true });
  for (const { path, hash } of files.filter(({ hash }) => plan.damaged.includes(hash.hex)))
    for (const place of [join(blobs, hash.hex), join(plan.path, path)]) await rm(place, { force: true });
  const freed = await removeStalePartials(blobs, new Set(files.map(({ hash }) => hash.hex)));
  if (freed > 0) options.onTrouble?.(`removed ${inUnits(freed)} of unfinished files that nobody continued`);
  // Counted again: another pull may have ended while this one waited.
  const missing = await missingBytes(environment.cache, plan);
  await refuseFullDisk(blobs, missing, "choose another disk with HF_HOME");
  const meter = createTransferMeter({ bytes: totalBytes - missing, totalBytes }, options.onProgress);
  // Small ones first: what is wrong with them is found before the hours.
  const queue = [...files].sort((a, b) => a.size - b.size);
  const failed = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, failed.signal]) : failed.signal;
  const work = async (): Promise<void> => {
    for (let file = queue.shift(); file && !signal.aborted; file = queue.shift())
      await fetchFile(file, plan, { ...options, signal, onBytes: meter.add });
  };
  const workers = Array.from({ length: filesAtOnce }, () =>
    work().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(workers);
  options.signal?.throwIfAborted();
  for (const result of results) if (result.status === "rejected") throw failed.signal.reason;
  const ref = join(refs, name.revision ?? "main");
  await mkdir(dirname(ref), { recursive: true });
  if (name.revision !== plan.commit) await replaceFile(ref, plan.commit);
}

interface FetchOptions extends PullOptions {
  readonly onBytes: (change: number) => void;
}

async function fetchFile(
  file: HubFile,
  plan: PullPlan,
  { signal, onTrouble, onBytes }: FetchOptions,
): Promise<void> {
  const { name, commit, environment, request, patience } = plan;
  const pointer = join(plan.path, file.path);
  const { blobs } = repositoryFolder(environment.cache, name.repository);
  const blob = join(blobs, file.hash.hex);
  if (!(await isWhole(blob, file.size))) {
    if (await isWhole(pointer, file.size)) return; // a file system without links: the file is here itself
    const url = `${environment.endpoint}/${name.repository}/resolve/${commit}/${encodePath(file.path)}`;
    await downloadBlob(blob, { request, url, file, patience, signal, onTrouble, onBytes });
  } else await rm(partialPath(blob), { force: true });
  await place(blob, pointer);
}

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

/**
 * Puts a blob into a snapshot: as a relative link, or, on file systems that have none, as the file itself, as Python's
 * tools do there.
 */
export async function place(
  blob: string,
  pointer: string,
  link: (target: string, path: string) => Promise<void> = symlink,
): Promise<void> {
  await mkdir(dirname(pointer), { recursive: true });
  const fresh = `${pointer}.${process.pid}.new`;
  await rm(fresh, { force: true });
  try {
    await link(relative(dirname(pointer), blob), fresh);
    await rename(fresh, pointer);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL"].includes(code)) throw error;
    await rename(blob, pointer);
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  await writeFile(fresh, text);
  await rename(fresh, path);
}

async function isWhole(path: string, size: number): Promise<boolean> {
  try {
    return (await stat(path)).size === size;
  } catch {
    return false; // not there
  }
}

interface Places {
  readonly blobs: string;
  /** Of the snapshot, which has the files themselves where there are no links. */
  readonly path: string;
  readonly signal: AbortSignal | undefined;
}

/** Whole by their size, and not by their hash. */
async function damagedFiles(
  files: readonly HubFile[],
  { blobs, path: snapshot, signal }: Places,
): Promise<string[]> {
  const damaged: string[] = [];
  for (const { path, size, hash } of files) {
    const blob = join(blobs, hash.hex);
    const place = (await isWhole(blob, size)) ? blob : join(snapshot, path);
    if (!(await isWhole(place, size))) continue;
    if ((await hashOfFile(place, hash.kind, { signal })) !== hash.hex) damaged.push(hash.hex);
  }
  return damaged;
}

async function missingBytes(
  cache: string,
  { name, commit, files, damaged }: Pick<PullPlan, "name" | "commit" | "files" | "damaged">,
): Promise<number> {
  const { blobs, snapshots } = repositoryFolder(cache, name.repository);
  let bytes = 0;
  for (const { path, size, hash } of files) {
    const blob = join(blobs, hash.hex);
    const isHere = (await isWhole(blob, size)) || (await isWhole(join(snapshots, commit, path), size));
    if (isHere && !damaged.includes(hash.hex)) continue;
    bytes += size - (await partialBytes(blob, size));
  }
  return bytes;
}

const mostConfigBytes = 2 ** 20;

/** Of a cache, by the model's config; which also shows, before gigabytes come, whether it is a gpt-oss model at all. */
async function contextBytes(
  {
    name,
    commit,
    layout,
    files,
    environment,
    request,
  }: Omit<PullPlan, "totalBytes" | "missingBytes" | "freeBytes" | "memoryBytes">,
  retry: RetryOptions,
): Promise<number> {
  if (layout === "gguf") return 0; // its shape is inside the file
  const path = layout === "original" ? "original/config.json" : "config.json";
  if (!files.some((file) => file.path === path))
    throw new GptOssError("checkpoint/hub-not-found", {
      message: `${name.repository} has weights but no ${path}`,
      hint: "it is not a gpt-oss model in a layout that can be read",
    });
  const url = `${environment.endpoint}/${name.repository}/resolve/${commit}/${path}`;
  const { body } = await retrying(
    () => fetchText(request, url, { ...retry, mostBytes: mostConfigBytes }),
    retry,
  );
  return cacheBytes(parseConfig({ name: `${name.repository}: ${path}`, text: body }), plannedContextTokens);
}
