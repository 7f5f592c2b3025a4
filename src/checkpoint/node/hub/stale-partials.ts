// Beginnings of files that nobody continues: of a revision that a branch has left, or of a layout that was given up.
// They have no name that `models` could show, so they would take their room for ever.

import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { namesIn } from "./cache.ts";
import { partialPath } from "./download-blob.ts";

/** Whoever was interrupted comes back sooner, or begins anew. */
const forgottenAfterMs = 7 * 24 * 3_600_000;

/**
 * Removes what this package began in the folder and did not touch for a week, but for the blobs in `wanted`; → bytes that
 * are free now. Only under the repository's lock: nobody else writes there then.
 */
export async function removeStalePartials(blobs: string, wanted: ReadonlySet<string>): Promise<number> {
  const suffix = partialPath("");
  let bytes = 0;
  for (const name of await namesIn(blobs)) {
    if (!name.endsWith(suffix) || wanted.has(name.slice(0, -suffix.length))) continue;
    const path = join(blobs, name);
    const { size, mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs < forgottenAfterMs) continue;
    await rm(path, { force: true });
    bytes += size;
  }
  return bytes;
}
