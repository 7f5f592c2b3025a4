// The tiny model as a GGUF file in memory, taken apart so that a test can rename, re-encode or damage it.

import { encodeGgufHeader } from "../gguf/encode-header.ts";
import { alignUp, type GgmlType, type GgufValue } from "../gguf/format.ts";
import { readGgufHeader } from "../gguf/header.ts";
import { ggufMetadata } from "../gguf/metadata.ts";
import {
  bytesSource,
  type Checkpoint,
  collectGguf,
  createCheckpoint,
  createGgufCheckpoint,
  type GgufVocabulary,
  type ModelConfig,
  type OnRounding,
  toGguf,
} from "../index.ts";
import { collectTensors } from "../safetensors/collect.ts";
import { text, tinyConfig, tinyFiles } from "./tiny-model.ts";

export interface GgufPiece {
  name: string;
  type: GgmlType;
  shape: readonly number[];
  bytes: Uint8Array;
}

export interface GgufPieces {
  readonly metadata: Map<string, GgufValue>;
  tensors: GgufPiece[];
}

/** Tokens whose texts mean nothing; the last ones are control tokens. */
export function tinyVocabulary({ vocabularySize }: ModelConfig): GgufVocabulary {
  const tokens = Array.from({ length: vocabularySize }, (_, id) => `token${id}`);
  return { tokens, types: tokens.map(() => 1), merges: ["a b"], model: "gpt2", splitter: "gpt-4o" };
}

/** The tiny model in the Hugging Face layout, opened. */
export async function tinyCheckpoint(config = tinyConfig): Promise<Checkpoint> {
  const files = await tinyFiles("huggingface", config);
  const json = (name: string) => ({ name, text: text(files.get(name)) });
  const weights = bytesSource("model.safetensors", files.get("model.safetensors")!);
  return createCheckpoint({
    ...(await collectTensors(new Map([["model.safetensors", weights]]))),
    path: "tiny",
    config: json("config.json"),
    generationConfig: json("generation_config.json"),
    tokenizer: undefined,
    close: async () => {},
  });
}

/** The same as pieces of a GGUF file, as `gpt-oss convert` writes it. */
export async function tinyGguf(config = tinyConfig): Promise<GgufPieces> {
  const checkpoint = await tinyCheckpoint(config);
  const vocabulary = tinyVocabulary(config);
  const options = { name: "tiny", dense: "bf16", experts: "mxfp4" } as const;
  const file = toGguf(checkpoint, vocabulary, options);
  const bytes = new Uint8Array(file.byteLength);
  let length = 0;
  for await (const chunk of file.chunks()) {
    bytes.set(chunk, length);
    length += chunk.length;
  }
  const header = await readGgufHeader(bytesSource("tiny.gguf", bytes));
  return {
    metadata: new Map(ggufMetadata(checkpoint.config, vocabulary, options)),
    tensors: header.tensors.map(({ name, type, shape, offset, byteLength }) => ({
      name,
      type: type!,
      shape,
      bytes: bytes.slice(offset, offset + byteLength),
    })),
  };
}

export function ggufBytes({ metadata, tensors }: GgufPieces): Uint8Array {
  const { header, dataBytes } = encodeGgufHeader(metadata, tensors);
  const file = new Uint8Array(header.length + dataBytes);
  file.set(header);
  let at = header.length;
  for (const { bytes } of tensors) {
    file.set(bytes, at);
    at += alignUp(bytes.length);
  }
  return file;
}

export async function openGgufBytes(
  files: readonly Uint8Array[],
  options: { readonly decodeTo?: "BF16" | "F32"; readonly onRounding?: OnRounding } = {},
): Promise<Checkpoint> {
  // With paths, as files on a disk have, so that views say where their blocks lie; nothing opens them.
  const sources = files.map((bytes, part) => {
    const name = `tiny-${part + 1}.gguf`;
    return { ...bytesSource(name, bytes), path: name };
  });
  const collected = await collectGguf(sources);
  return createGgufCheckpoint({ ...collected, ...options, path: "tiny.gguf", close: async () => {} });
}
