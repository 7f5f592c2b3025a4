// One file from a hub into the cache. Bytes go to a partial file beside the blob, in order, so that what is there can be
// continued; only when size and hash are right does it get the blob's name.

import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { GptOssError } from "../../../base/index.ts";
import { readFully } from "../file-source.ts";
import { ioError } from "../io-error.ts";
import type { FileHash, HubFile } from "./listing.ts";
import { type RetryOptions, retrying, Transient } from "./patience.ts";
import { badAnswer, type HubRequest, reasonOf, shown, unreachable } from "./request.ts";

/** Not Python's `.incomplete`: two programs that write one file would spoil it, and its locks cannot be taken here. */
export const partialPath = (blob: string): string => `${blob}.gpt-oss.incomplete`;

export interface BlobDownload extends RetryOptions {
  readonly request: HubRequest;
  readonly url: string;
  readonly file: HubFile;
  /** Bytes that were won, or with a minus lost again. */
  readonly onBytes: (change: number) => void;
}

/**
 * Fetches a file to the path `blob`, continuing what an earlier try left. Errors: `checkpoint/wrong-hash`,
 * `checkpoint/hub-…`, `checkpoint/disk-full`; on all of them, and on abort, only the partial file is left.
 */
export async function downloadBlob(blob: string, download: BlobDownload): Promise<void> {
  const path = partialPath(blob);
  const { file } = download;
  try {
    const partial = await openPartial(path, download);
    try {
      const isRight = async (): Promise<boolean> => {
        await fill(partial, download);
        return partial.digest() === file.hash.hex;
      };
      const left = partial.bytes;
      if (!(await isRight())) {
        await partial.empty();
        download.onTrouble?.(`${file.path}: the hash is wrong; beginning anew`);
        // Once more only where an earlier pull's bytes may be to blame.
        if (left === 0 || !(await isRight())) {
          await partial.empty();
          throw new GptOssError("checkpoint/wrong-hash", {
            message: `${shown(download.url)}: the bytes that came are not those of the file: their hash is another`,
            hint: "pull again; if it stays so, something on the way to the hub changes files",
          });
        }
      }
      await partial.handle.sync();
    } finally {
      await partial.handle.close();
    }
    await rename(path, blob);
  } catch (error) {
    download.signal?.throwIfAborted();
    throw ioError(error, path);
  }
}

/** Bytes that a partial file has of a file of this size. */
export async function partialBytes(blob: string, size: number): Promise<number> {
  try {
    const partial = await stat(partialPath(blob));
    return partial.size <= size ? partial.size : 0;
  } catch {
    return 0; // there is none
  }
}

/** The beginning of a file on the disk, and the hash of what is there. */
interface Partial {
  readonly handle: FileHandle;
  readonly bytes: number;
  append(chunk: Uint8Array): Promise<void>;
  empty(): Promise<void>;
  digest(): string;
}

async function openPartial(path: string, { file, onBytes, signal }: BlobDownload): Promise<Partial> {
  const handle = await open(path, "a").then(async (created) => {
    await created.close();
    return open(path, "r+");
  });
  try {
    let hash = startHash(file);
    let bytes = 0;
    const empty = async (): Promise<void> => {
      await handle.truncate(0);
      onBytes(-bytes);
      bytes = 0;
      hash = startHash(file);
    };
    const { size } = await handle.stat();
    if (size > file.size) await handle.truncate(0);
    else {
      await hashFile(handle, hash, { size, name: path, signal });
      bytes = size;
    }
    return {
      handle,
      get bytes() {
        return bytes;
      },
      append: async (chunk) => {
        try {
          for (let done = 0; done < chunk.length; )
            done += (await handle.write(chunk, done, chunk.length - done, bytes + done)).bytesWritten;
        } catch (error) {
          throw ioError(error, path); // before anyone takes it for trouble on the way
        }
        hash.update(chunk);
        bytes += chunk.length;
        onBytes(chunk.length);
      },
      empty,
      digest: () => hash.digest("hex"),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function startHash({ hash, size }: HubFile): Hash {
  return hash.kind === "sha256" ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

/** The hash of a file's content as the hub would give it. */
export async function hashOfFile(
  path: string,
  kind: FileHash["kind"],
  options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: (more: number) => void } = {},
): Promise<string> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const hash = startHash({ path, size, hash: { kind, hex: "" } });
    await hashFile(handle, hash, { ...options, size, name: path });
    return hash.digest("hex");
  } finally {
    await handle.close();
  }
}

interface HashFileOptions {
  readonly size: number;
  readonly name: string;
  readonly signal?: AbortSignal | undefined;
  readonly onBytes?: (more: number) => void;
}

const readBytes = 2 ** 21;

/** One piece is read while the one before it is hashed. */
async function hashFile(
  handle: FileHandle,
  hash: Hash,
  { size, name, signal, onBytes }: HashFileOptions,
): Promise<void> {
  const buffers = [new Uint8Array(readBytes), new Uint8Array(readBytes)];
  const readPiece = async (offset: number): Promise<Uint8Array> => {
    const piece = buffers[(offset / readBytes) % 2].subarray(
      0,
      Math.max(0, Math.min(readBytes, size - offset)),
    );
    await readFully(handle, piece, { offset, name });
    return piece;
  };
  let next = readPiece(0);
  for (let offset = 0; offset < size; offset += readBytes) {
    signal?.throwIfAborted();
    const piece = await next;
    next = readPiece(offset + readBytes);
    next.catch(() => {}); // thrown by the next `await next`
    hash.update(piece);
    onBytes?.(piece.length);
  }
  await next;
}

/** Appends until the file is whole. */
async function fill(partial: Partial, download: BlobDownload): Promise<void> {
  const { file } = download;
  if (partial.bytes >= file.size) return;
  const progress = (): number => partial.bytes;
  await retrying(() => fillOnce(partial, download), { ...download, progress });
}

async function fillOnce(partial: Partial, download: BlobDownload): Promise<void> {
  const { request, url, file, patience, signal } = download;
  const stall = new AbortController();
  const both = signal ? AbortSignal.any([signal, stall.signal]) : stall.signal;
  const timer = setTimeout(() => stall.abort(), patience.stallMs);
  try {
    const from = partial.bytes;
    const response = await request(url, {
      signal: both,
      headers: { "accept-encoding": "identity", ...(from > 0 && { range: `bytes=${from}-` }) },
    });
    await positionFor(response, partial, download);
    for await (const chunk of response.body ?? []) {
      timer.refresh();
      await partial.append(chunk.subarray(0, file.size - partial.bytes));
      if (partial.bytes === file.size) return; // what a server sends beyond is not part of the file
    }
  } catch (error) {
    if (GptOssError.isInstance(error) || error instanceof Transient || signal?.aborted) throw error;
    const reason = stall.signal.aborted ? `nothing came for ${patience.stallMs / 1000} s` : reasonOf(error);
    throw new Transient(unreachable(`${shown(url)}: ${reason}`, error));
  } finally {
    clearTimeout(timer);
    stall.abort(); // ends a body that is not read to its end
  }
  if (partial.bytes < file.size)
    throw new Transient(unreachable(`${shown(url)}: ended after ${partial.bytes} of ${file.size} bytes`));
}

/** Where the body belongs: right after what is there, or at the start when the server knows no ranges. */
async function positionFor(response: Response, partial: Partial, { url, file }: BlobDownload): Promise<void> {
  const { status, headers } = response;
  if (status === 206) {
    const [, first, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "") ?? [];
    const isRight = Number(first) === partial.bytes && (total === "*" || Number(total) === file.size);
    if (isRight) return;
    throw wrongLength(`${shown(url)}: answered with the range ${headers.get("content-range")}`, file);
  }
  if (partial.bytes > 0) await partial.empty();
  if (status === 416) throw new Transient(badAnswer(`${shown(url)}: knows no such range`));
  const length = headers.get("content-length");
  if (length !== null && Number(length) !== file.size)
    throw wrongLength(`${shown(url)}: has ${length} bytes`, file);
}

/** Passing perhaps: a proxy's page in place of the file. */
const wrongLength = (what: string, file: HubFile): Transient =>
  new Transient(badAnswer(`${what}; the hub lists ${file.size}`));
