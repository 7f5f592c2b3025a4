// Files into a folder, all or none: written under temporary names, renamed when the last one is whole. An interrupt, an
// error or a full disk leaves nothing behind. Only a killed process can leave its `.partial-…` folder, which is its own.

import { access, mkdir, mkdtemp, open, rename, rm, rmdir, statfs } from "node:fs/promises";
import { join } from "node:path";
import { assert, GptOssError } from "../../base/index.ts";
import type { FileStream, NamedFile } from "../file-stream.ts";
import { ioError } from "./io-error.ts";

export interface WriteProgress {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number;
}

export interface WriteOptions {
  /** Aborting rejects with the signal's reason and removes what was written. */
  readonly signal?: AbortSignal | undefined;
  /** Called a few times a second, and once at the end. */
  readonly onProgress?: ((progress: WriteProgress) => void) | undefined;
}

/**
 * Writes the files into `folder`, which is made if needed. Refuses to replace a file (`checkpoint/exists`), and to start
 * without the room (`checkpoint/disk-full`). The last file gets its name last.
 */
export async function writeFiles(
  folder: string,
  files: readonly NamedFile[],
  { signal, onProgress }: WriteOptions = {},
): Promise<void> {
  const totalBytes = files.reduce((sum, file) => sum + file.byteLength, 0);
  const report = progressReporter(totalBytes, onProgress);
  signal?.throwIfAborted();
  let madeFolder = false;
  try {
    madeFolder = (await mkdir(folder, { recursive: true })) !== undefined;
    for (const { name } of files) await refuseExisting(join(folder, name));
    await refuseFullDisk(folder, totalBytes);
    await writeStaged(folder, files, { signal, report });
  } catch (error) {
    if (madeFolder) await rmdir(folder).catch(() => {}); // not empty: someone else is using it
    throw signal?.aborted ? signal.reason : ioError(error, folder);
  }
}

type Report = (moreBytes: number) => void;

async function writeStaged(
  folder: string,
  files: readonly NamedFile[],
  { signal, report }: { signal: AbortSignal | undefined; report: Report },
): Promise<void> {
  const staging = await mkdtemp(join(folder, ".partial-"));
  const placed: string[] = [];
  try {
    for (const file of files) await writeStream(join(staging, file.name), file, { signal, report });
    for (const { name } of files) {
      await rename(join(staging, name), join(folder, name));
      placed.push(join(folder, name));
    }
  } catch (error) {
    await Promise.all(placed.map((path) => rm(path, { force: true })));
    throw error;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** One chunk is made while the one before it is written. */
async function writeStream(
  path: string,
  stream: FileStream,
  { signal, report }: { signal: AbortSignal | undefined; report: Report },
): Promise<void> {
  const handle = await open(path, "wx");
  let writing: Promise<void> = Promise.resolve();
  let bytes = 0;
  try {
    for await (const chunk of stream.chunks()) {
      await writing;
      signal?.throwIfAborted();
      bytes += chunk.length;
      writing = handle.writeFile(chunk).then(() => report(chunk.length));
      writing.catch(() => {}); // seen by the next `await writing`
    }
    await writing;
    assert(bytes === stream.byteLength, `${path}: ${bytes} bytes were made, ${stream.byteLength} promised`);
  } catch (error) {
    await writing.catch(() => {}); // `error` is the first one, and the one to report
    throw ioError(error, path);
  } finally {
    await handle.close();
  }
}

async function refuseExisting(path: string): Promise<void> {
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  if (!exists) return;
  throw new GptOssError("checkpoint/exists", {
    message: `${path}: is there already, and is not overwritten`,
    hint: "choose another folder, or empty this one",
  });
}

async function refuseFullDisk(folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (neededBytes <= freeBytes) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new GptOssError("checkpoint/disk-full", {
    message: `${folder}: needs ${gigabytes(neededBytes)}, and the disk has ${gigabytes(freeBytes)} free`,
    hint: "make room, or choose a folder on another disk",
  });
}

const reportEveryMs = 200;

function progressReporter(totalBytes: number, onProgress: WriteOptions["onProgress"]): Report {
  const start = performance.now();
  let bytes = 0;
  let last = start;
  return (more) => {
    bytes += more;
    const now = performance.now();
    if (!onProgress || (now - last < reportEveryMs && bytes < totalBytes)) return;
    last = now;
    const bytesPerSecond = bytes / Math.max((now - start) / 1000, 1e-3);
    onProgress({ bytes, totalBytes, bytesPerSecond, secondsLeft: (totalBytes - bytes) / bytesPerSecond });
  };
}
