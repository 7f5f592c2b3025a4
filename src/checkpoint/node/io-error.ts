import { type ErrorCode, GptOssError } from "../../base/index.ts";

/** The system's error as ours, with the file's name; our own errors pass through. */
export function ioError(error: unknown, path: string): GptOssError {
  if (GptOssError.isInstance(error)) return error;
  const reason = error instanceof Error && "code" in error ? String(error.code) : "";
  const [code, problem, hint] = known[reason] ?? ["checkpoint/io", "cannot be read or written", undefined];
  const detail = known[reason] ? problem : `${problem}: ${error instanceof Error ? error.message : error}`;
  return new GptOssError(code, {
    message: `${path}: ${detail}`,
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  });
}

const known: Readonly<Record<string, readonly [ErrorCode, string, string | undefined]>> = {
  ENOENT: ["checkpoint/not-found", "there is no such file or folder", "check the path"],
  ENOTDIR: ["checkpoint/not-found", "a part of this path is a file, not a folder", "check the path"],
  EACCES: ["checkpoint/io", "permission denied", "check the owner and mode of the file"],
  EEXIST: ["checkpoint/exists", "is there already, and is not overwritten", "choose another name"],
  EMFILE: ["checkpoint/io", "too many open files", "raise the limit: `ulimit -n 4096`"],
  ENOSPC: ["checkpoint/disk-full", "the disk is full", "make room, or choose another folder"],
  EDQUOT: ["checkpoint/disk-full", "the disk quota is used up", "make room, or choose another folder"],
  EFBIG: ["checkpoint/disk-full", "the file system takes no file this large", "choose another file system"],
};
