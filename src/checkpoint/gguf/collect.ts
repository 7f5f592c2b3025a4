// All tensors of a model's GGUF files, wherever the files are: one file, or the parts that llama.cpp's gguf-split makes.

import { GptOssError } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import { quote } from "../quote.ts";
import { type GgufEntry, type GgufMetadata, readGgufHeader } from "./header.ts";

export interface GgufTensor extends GgufEntry {
  readonly source: ByteSource;
}

export interface CollectedGguf {
  /** Of the first file; later parts have none that matters. */
  readonly metadata: GgufMetadata;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

/** The files in order. Errors: those of `readGgufHeader`, and `checkpoint/missing-shard` where a part is not given. */
export async function collectGguf(files: readonly ByteSource[]): Promise<CollectedGguf> {
  const headers = await Promise.all(files.map(readGgufHeader));
  const [{ metadata }] = headers;
  const tensors = new Map<string, GgufTensor>();
  for (const [part, { metadata: own, tensors: entries }] of headers.entries()) {
    checkPart(files[part], own, { part, parts: files.length });
    for (const entry of entries) {
      if (tensors.has(entry.name))
        throw new GptOssError("checkpoint/bad-tensor", {
          message: `${files[part].name}: tensor ${quote(entry.name)} is in another part of the model, too`,
          hint: "the parts are of different models; fetch them again",
        });
      tensors.set(entry.name, { ...entry, source: files[part] });
    }
  }
  const promised = integer(metadata, "split.tensors.count") ?? tensors.size;
  if (promised !== tensors.size)
    throw new GptOssError("checkpoint/missing-tensor", {
      message: `${files[0].name}: split.tensors.count is ${promised}, but the parts have ${tensors.size}`,
      hint: "the parts are of different models; fetch them again",
    });
  return { metadata, tensors };
}

function checkPart(
  file: ByteSource,
  metadata: GgufMetadata,
  { part, parts }: { readonly part: number; readonly parts: number },
): void {
  const count = integer(metadata, "split.count") ?? 1;
  const number = integer(metadata, "split.no") ?? 0;
  if (count <= 1 && parts === 1) return;
  if (count === parts && number === part) return;
  throw new GptOssError("checkpoint/missing-shard", {
    message: `${file.name}: says it is part ${number + 1} of ${count}; ${parts === 1 ? "it is alone here" : `its name says ${part + 1} of ${parts}`}`,
    hint: "keep the names under which the parts were published, all in one folder",
  });
}

function integer(metadata: GgufMetadata, key: string): number | undefined {
  const stored = metadata.get(key);
  return stored?.type === "u16" || stored?.type === "u32" || stored?.type === "i32"
    ? stored.value
    : undefined;
}

/** `model-00002-of-00003.gguf` → the names of all three; undefined for a file that is whole. */
export function ggufPartNames(fileName: string): readonly string[] | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/i.exec(fileName);
  if (!match) return undefined;
  const [, prefix, , count] = match;
  const parts = Math.min(Number(count), maxParts);
  return Array.from({ length: parts }, (_, part) => {
    const number = String(part + 1).padStart(5, "0");
    return `${prefix}-${number}-of-${count}.gguf`;
  });
}

/** A name is all it takes to claim 99,999 parts. */
const maxParts = 1000;
