// One pull of a repository at a time, over all processes that share the cache. A lock is a file that its owner touches
// again and again; one that was not touched for a while belongs to a process that was killed.

import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ioError } from "../io-error.ts";
import { isGone, ownMark, type ProcessMark } from "../process-mark.ts";

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process has the lock and is waited for. */
  readonly onWait?: (() => void) | undefined;
}

const touchEveryMs = 5_000;
/** Several touches may be late on a busy machine or a network disk. */
const staleAfterMs = 60_000;
const lookEveryMs = 250;

/** Runs `work` while no other process holds the lock at `path`. */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  await take(path, options);
  const touching = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {}); // the next touch may succeed
  }, touchEveryMs);
  touching.unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    await rm(path, { force: true });
  }
}

async function take(path: string, { signal, onWait }: LockOptions): Promise<void> {
  let isWaiting = false;
  while (true) {
    signal?.throwIfAborted();
    try {
      await writeFile(path, JSON.stringify(ownMark()), { flag: "wx" });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw ioError(error, path);
    }
    if (await breakStale(path)) continue;
    if (!isWaiting) onWait?.();
    isWaiting = true;
    await sleep(lookEveryMs, undefined, { ...(signal && { signal }) }).catch(() => {}); // aborted: thrown above
  }
}

/** True when the lock was a dead process's and is gone. */
async function breakStale(path: string): Promise<boolean> {
  try {
    const before = await stat(path);
    const owner = await readFile(path, "utf8");
    if (Date.now() - before.mtimeMs < staleAfterMs && !isDead(owner)) return false;
    // Someone else may have broken it and taken it since: renaming shows whose it was.
    const aside = `${path}.${process.pid}.stale`;
    await rename(path, aside);
    const { ino } = await stat(aside);
    if (ino === before.ino) await rm(aside, { force: true });
    else await rename(aside, path);
    return ino === before.ino;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return true; // released meanwhile
    throw ioError(error, path);
  }
}

function isDead(owner: string): boolean {
  try {
    return isGone(JSON.parse(owner) as ProcessMark);
  } catch {
    return false; // half written
  }
}
