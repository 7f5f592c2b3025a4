// A file to be written: its length is known before its bytes are made, and they are made a few megabytes at a time.

import type { TensorView } from "../base/index.ts";
import { readAhead } from "./read-ahead.ts";
import { encodeSafetensorsHeader } from "./safetensors/encode-header.ts";

export interface FileStream {
  readonly byteLength: number;
  /** Exactly `byteLength` bytes; a chunk is not changed after it was given. */
  chunks(): AsyncIterable<Uint8Array>;
}

export interface NamedFile extends FileStream {
  /** A plain file name, without a folder. */
  readonly name: string;
}

const chunkBytes = 2 ** 21;

export function textFile(name: string, text: string): NamedFile {
  const bytes = new TextEncoder().encode(text);
  return {
    name,
    byteLength: bytes.length,
    async *chunks() {
      yield bytes;
    },
  };
}

/** A safetensors file of these tensors, in this order. Nothing is read before `chunks` is iterated. */
export function safetensorsFile(name: string, tensors: readonly TensorView[]): NamedFile {
  const header = encodeSafetensorsHeader(tensors);
  return {
    name,
    byteLength: tensors.reduce((sum, tensor) => sum + tensor.byteLength, header.length),
    async *chunks() {
      yield header;
      for (const tensor of tensors)
        yield* readAhead(Math.ceil(tensor.byteLength / chunkBytes), (chunk) =>
          tensor.read(chunk * chunkBytes, Math.min((chunk + 1) * chunkBytes, tensor.byteLength)),
        );
    },
  };
}
