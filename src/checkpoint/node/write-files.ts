// Files into a folder, all or none: written under temporary names, renamed when the last one is whole. An interrupt, an
// error or a full disk leaves nothing behind; what a killed process left, the next one removes.

import { access, mkdir, open, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { assert, GptOssError } from "../../base/index.ts";
import type { FileStream, NamedFile } from "../file-stream.ts";
import { refuseFullDisk } from "./disk-room.ts";
import { ioError } from "./io-error.ts";
import { type Leftover, makeStaging, removeLeftovers } from "./staging.ts";

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
  /** Told of what a killed process had left in the folder, and was removed. */
  readonly onLeftover?: ((leftover: Leftover) => void) | undefined;
}

/**
 * Writes the files into `folder`, which is made if needed. Refuses to replace a file (`checkpoint/exists`), and to start
 * without the room (`checkpoint/disk-full`). The last file gets its name last.
 */
export async function writeFiles(
  folder: string,
  files: readonly NamedFile[],
  { signal, onProgress, onLeftover }: WriteOptions = {},
): Promise<void> {
  const totalBytes = files.reduce((sum, file) => sum + file.byteLength, 0);
  const report = progressReporter(totalBytes, onProgress);
  signal?.throwIfAborted();
  let firstMade: string | undefined;
  try {
    firstMade = await mkdir(folder, { recursive: true });
    for (const leftover of await removeLeftovers(folder)) onLeftover?.(leftover);
    for (const { name } of files) await refuseExisting(join(folder, name));
    await refuseFullDisk(folder, totalBytes, "choose a folder on another disk");
    await writeStaged(folder, files, { signal, report });
  } catch (error) {
    if (firstMade !== undefined) await removeMade(folder, firstMade);
    throw signal?.aborted ? signal.reason : ioError(error, folder);
  }
}

/** The folder that was made, and those around it up to the first one that was. */
async function removeMade(folder: string, firstMade: string): Promise<void> {
  const first = resolve(firstMade);
  try {
    for (let path = resolve(folder); path.length >= first.length; path = dirname(path)) await rmdir(path);
  } catch {
    // Not empty: someone else is using it.
  }
}

type Report = (moreBytes: number) => void;

async function writeStaged(
  folder: string,
  files: readonly NamedFile[],
  { signal, report }: { signal: AbortSignal | undefined; report: Report },
): Promise<void> {
  const staging = await makeStaging(folder);
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
    hint: "choose another name, or remove it first",
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
