// Whether a disk has the room, asked before anything is written.

import { access, statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { GptOssError } from "../../base/index.ts";

/** Of the disk that holds `folder`, or will hold it. */
export async function freeBytes(folder: string): Promise<number> {
  const exists = await access(folder).then(
    () => true,
    () => false,
  );
  if (!exists && dirname(folder) !== folder) return freeBytes(dirname(folder));
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Throws `checkpoint/disk-full`; the hint says what else to do than to make room. */
export async function refuseFullDisk(folder: string, neededBytes: number, otherwise: string): Promise<void> {
  const free = await freeBytes(folder);
  if (neededBytes <= free) return;
  throw new GptOssError("checkpoint/disk-full", {
    message: `${resolve(folder)}: needs ${inUnits(neededBytes)}, and the disk has ${inUnits(free)} free`,
    hint: `make room, or ${otherwise}`,
  });
}

/** For messages. */
export const inUnits = (bytes: number): string =>
  bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
