// Where checkpoint files' bytes come from: a local file, memory, or (in a browser) a blob or ranged requests.
// Every parser of this room works on this, so that only src/checkpoint/node/ needs Node.

import { GptOssError } from "../base/index.ts";

export interface ByteSource {
  /** For error messages: a path or an address. */
  readonly name: string;
  /** Set when the bytes are a local file, which a backend may then memory-map. */
  readonly path?: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`; `checkpoint/truncated` when they are not there. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    read: async (offset, length) => {
      checkInside({ name, size: bytes.length }, offset, length);
      return bytes.slice(offset, offset + length);
    },
    close: async () => {},
  };
}

/** Throws `checkpoint/truncated` unless `[offset, offset + length)` lies inside the source. */
export function checkInside(
  source: { readonly name: string; readonly size: number },
  offset: number,
  length: number,
): void {
  if (offset >= 0 && length >= 0 && offset + length <= source.size) return;
  throw new GptOssError("checkpoint/truncated", {
    message: `${source.name}: needs bytes ${offset} to ${offset + length}, but the file ends at ${source.size}`,
    hint: "the file is incomplete; download or copy it again",
  });
}
