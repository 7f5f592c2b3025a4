import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { GptOssError } from "../base/index.ts";

/** Writes a file that is then there whole or, after an error or Ctrl-C, as it was. Devices and pipes are written directly. */
export async function writeWhole(path: string, write: (file: FileHandle) => Promise<void>): Promise<void> {
  const isFile = await stat(path).then(
    (status) => status.isFile(),
    () => true,
  );
  const place = isFile ? `${path}.partial` : path;
  const file = await open(place, "w").catch((error) => {
    throw cannotWrite(path, error);
  });
  try {
    try {
      await write(file);
    } finally {
      await file.close();
    }
    if (isFile) await rename(place, path);
  } catch (error) {
    if (isFile) await rm(place, { force: true });
    throw (error as NodeJS.ErrnoException).syscall ? cannotWrite(path, error) : error;
  }
}

function cannotWrite(path: string, cause: unknown): GptOssError {
  return new GptOssError("cli/cannot-write", {
    message: `cannot write ${path}: ${(cause as Error).message}`,
    hint: "check that its folder is there, that you may write to it, and that the disk has room",
    cause,
  });
}
