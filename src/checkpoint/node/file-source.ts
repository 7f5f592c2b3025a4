// A local file as a ByteSource: positioned reads on one open handle, and an error when the file changes underneath.

import { open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { GptOssError } from "../../base/index.ts";
import { type ByteSource, checkInside } from "../byte-source.ts";
import { ioError } from "./io-error.ts";

/** One read(2) returns at most 2^31 - 1 bytes, less a page, and Node refuses to ask for more. */
const maxBytesPerRead = 2 ** 30;

/** A local file, read by position. Symbolic links are followed; folders, pipes and devices are refused. */
export async function openFile(path: string): Promise<ByteSource> {
  const absolute = resolve(path);
  try {
    // Before opening: opening a pipe would wait for its writer.
    if (!(await stat(absolute)).isFile())
      throw new GptOssError("checkpoint/io", {
        message: `${path}: not a regular file`,
        hint: "check the path",
      });
    return await fileSource(path, absolute);
  } catch (error) {
    throw ioError(error, path);
  }
}

async function fileSource(name: string, path: string): Promise<ByteSource> {
  const handle = await open(path, "r");
  const opened = await handle.stat();
  const reading = new Set<Promise<void>>();
  let isOpen = true;

  const readUnchanged = async (bytes: Uint8Array, offset: number): Promise<void> => {
    const now = await handle.stat();
    if (now.size !== opened.size || now.mtimeMs !== opened.mtimeMs) throw changed(name);
    await readFully(handle, bytes, { offset, name });
  };

  return {
    name,
    path,
    size: opened.size,
    read: async (offset, length) => {
      if (!isOpen) throw new GptOssError("checkpoint/io", { message: `${name}: read after close` });
      checkInside({ name, size: opened.size }, offset, length);
      const bytes = allocate(name, length);
      const read = readUnchanged(bytes, offset);
      reading.add(read);
      try {
        await read;
        return bytes;
      } catch (error) {
        throw ioError(error, name);
      } finally {
        reading.delete(read);
      }
    },
    close: async () => {
      if (!isOpen) return;
      isOpen = false;
      await Promise.allSettled(reading);
      await handle.close();
    },
  };
}

/** An open file. Node's own type would ask for its types in every program that imports this package. */
export interface Readable {
  read(
    bytes: Uint8Array,
    at: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
}

/** Fills `bytes` from `offset`, in as many calls as it takes. */
export async function readFully(
  handle: Readable,
  bytes: Uint8Array,
  { offset, name, maxBytes = maxBytesPerRead }: { offset: number; name: string; maxBytes?: number },
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const length = Math.min(bytes.length - done, maxBytes);
    const { bytesRead } = await handle.read(bytes, done, length, offset + done);
    if (bytesRead === 0)
      throw new GptOssError("checkpoint/truncated", {
        message: `${name}: needs bytes ${offset} to ${offset + bytes.length}, but the file ends at ${offset + done}`,
        hint: "the file is incomplete or was cut while in use; fetch it again",
      });
    done += bytesRead;
  }
}

function allocate(name: string, length: number): Uint8Array {
  try {
    // Not zeroed: `readFully` fills all of it, or throws.
    return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  } catch (cause) {
    throw new GptOssError("checkpoint/io", {
      message: `${name}: cannot allocate ${length} bytes to read it`,
      hint: "the machine has not the memory, or the tensor is too large to be read at once",
      cause,
    });
  }
}

function changed(name: string): GptOssError {
  return new GptOssError("checkpoint/io", {
    message: `${name}: the file was changed while it was in use`,
    hint: "load the model again",
  });
}
