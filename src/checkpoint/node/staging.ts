// Folders in which files lie until all of them are whole. Their names say which process writes there, so that what a
// killed one left is found and removed by the next, and what a living one writes is never touched.

import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { isGone, ownMark, type ProcessMark } from "./process-mark.ts";

/** What a killed process had left, and is removed now. */
export interface Leftover {
  readonly path: string;
  readonly bytes: number;
}

/** A fresh folder inside `folder`: `.partial-<pid>-<place>-<six random letters>`. */
export async function makeStaging(folder: string): Promise<string> {
  const { pid, place } = ownMark();
  return mkdtemp(join(folder, `.partial-${pid}-${encodeURIComponent(place)}-`));
}

/** Removes staging folders inside `folder` whose process is gone; → those removed. */
export async function removeLeftovers(folder: string): Promise<Leftover[]> {
  const removed: Leftover[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const owner = entry.isDirectory() ? ownerOf(entry.name) : undefined;
    if (!owner) continue;
    const path = join(folder, entry.name);
    try {
      const { bytes, changedMs } = await contentOf(path);
      if (!isAbandoned(owner, changedMs)) continue;
      await rm(path, { recursive: true });
      removed.push({ path, bytes });
    } catch {
      // Gone meanwhile, or another user's: in nobody's way.
    }
  }
  return removed;
}

function ownerOf(name: string): ProcessMark | undefined {
  const [, pid, place] = /^\.partial-(\d+)-(.+)-[A-Za-z0-9]{6}$/.exec(name) ?? [];
  if (pid === undefined) return undefined;
  try {
    return { pid: Number(pid), place: decodeURIComponent(place) };
  } catch {
    return undefined; // not a name that we made
  }
}

/** Whoever writes changes something every few seconds; only one that sleeps or hangs does not for so long. */
const abandonedAfterMs = 24 * 3_600_000;
/** Disks in a network have clocks of their own. */
const clockSkewMs = 60_000;

function isAbandoned(owner: ProcessMark, changedMs: number): boolean {
  const own = ownMark();
  if (owner.place !== own.place) return Date.now() - changedMs > abandonedAfterMs;
  if (owner.pid !== own.pid) return isGone(owner);
  // Ours, or an earlier process's that had our number: in containers it is the same each time.
  return changedMs < Date.now() - process.uptime() * 1000 - clockSkewMs;
}

async function contentOf(path: string): Promise<{ readonly bytes: number; readonly changedMs: number }> {
  let bytes = 0;
  let changedMs = (await lstat(path)).mtimeMs;
  for (const name of await readdir(path)) {
    const { size, mtimeMs } = await lstat(join(path, name));
    bytes += size;
    changedMs = Math.max(changedMs, mtimeMs);
  }
  return { bytes, changedMs };
}
