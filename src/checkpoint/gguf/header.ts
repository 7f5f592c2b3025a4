// The header of a GGUF file → its metadata and tensors, every claim checked before anything is believed. Arrays are
// walked but not decoded: a vocabulary of 200,000 strings is only made when someone asks for it. What a key or a tensor
// means for gpt-oss is not known here. Format: ggml's docs/gguf.md

import { GptOssError } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import { formatShape, quote } from "../quote.ts";
import { type Cursor, createCursor, EndOfBytes, numberBytes } from "./cursor.ts";
import {
  alignUp,
  type GgmlType,
  type GgufNumberType,
  type GgufScalar,
  ggmlByteLength,
  ggmlTypeNames,
  ggmlTypes,
  ggufAlignment,
  ggufMagic,
  ggufValueIds,
} from "./format.ts";
import type { GgufStoredArray } from "./stored-array.ts";

export type GgufMetadata = ReadonlyMap<string, GgufScalar | GgufStoredArray>;

export interface GgufHeader {
  readonly metadata: GgufMetadata;
  /** In the order in which they lie in the file. */
  readonly tensors: readonly GgufEntry[];
}

export interface GgufEntry {
  readonly name: string;
  /** Undefined for a storage type that this package cannot read; `typeId` is its number in the file. */
  readonly type: GgmlType | undefined;
  readonly typeId: number;
  /** Outermost first: the contiguous dimension is the last. */
  readonly shape: readonly number[];
  /** Position of the first byte in the file. */
  readonly offset: number;
  /** NaN where the type is unknown. */
  readonly byteLength: number;
}

/** Far above what published models need (gpt-oss-20b: 459 tensors, 40 keys, 201,088 tokens, a header of 13 MB). */
const limits = {
  headerBytes: 2 ** 28,
  tensors: 2 ** 16,
  keys: 2 ** 16,
  /** docs/gguf.md: at most 2^16 - 1. */
  keyBytes: 2 ** 16 - 1,
  stringBytes: 2 ** 24,
  arrayItems: 2 ** 24,
  /** The format lets arrays nest; nothing that is read here does. */
  arrayDepth: 4,
  /** GGML_MAX_NAME and GGML_MAX_DIMS. */
  nameBytes: 64,
  dimensions: 4,
  alignment: 2 ** 20,
} as const;

const hint = "the file is damaged; download or copy it again";

/** Reads and checks the header; the tensors' bytes are not touched. */
export async function readGgufHeader(source: ByteSource): Promise<GgufHeader> {
  // How long the header is can only be learned by reading it.
  for (let bytes = 2 ** 16; ; bytes *= 16) {
    const length = Math.min(bytes, source.size, limits.headerBytes);
    const head = await source.read(0, length);
    try {
      return parseHeader(source, head);
    } catch (error) {
      if (!(error instanceof EndOfBytes)) throw error;
      if (length === source.size)
        throw new GptOssError("checkpoint/truncated", {
          message: `${source.name}: the file ends inside its header, at byte ${source.size}`,
          hint: "the file is incomplete; download or copy it again",
        });
      if (length === limits.headerBytes)
        throw badHeader(source.name, `the header is longer than ${limits.headerBytes} bytes`);
    }
  }
}

function parseHeader(source: ByteSource, head: Uint8Array): GgufHeader {
  const cursor = createCursor(head);
  const file = source.name;
  checkBeginning(file, head, cursor);
  const tensorCount = limited(file, "the number of tensors", cursor.size(), limits.tensors);
  const keyCount = limited(file, "the number of keys", cursor.size(), limits.keys);
  const metadata = new Map<string, GgufScalar | GgufStoredArray>();
  for (let i = 0; i < keyCount; i++) {
    const key = readText(cursor, { file, what: "a key", maxBytes: limits.keyBytes });
    if (metadata.has(key)) throw badHeader(file, `the key ${quote(key)} is there twice`);
    metadata.set(key, readValue(cursor, file, key));
  }
  const alignment = readAlignment(file, metadata);
  const infos = Array.from({ length: tensorCount }, () => readTensorInfo(cursor, file));
  const dataStart = alignUp(cursor.position, alignment);
  return { metadata, tensors: place(infos, { source, dataStart, alignment }) };
}

function checkBeginning(file: string, head: Uint8Array, cursor: Cursor): void {
  const beginning = new TextDecoder("latin1").decode(head.subarray(0, 16));
  if (beginning.startsWith("version https://"))
    throw badHeader(file, "a Git LFS pointer, not the file it points to", {
      hint: "run `git lfs pull` in the repository that it was cloned from",
    });
  if (cursor.number("u32") !== ggufMagic)
    throw badHeader(file, `expected "GGUF"; the file begins with ${quote(beginning)}`, {
      hint: "this is not a GGUF file, or it is damaged",
    });
  const version = cursor.number("u32");
  if (version === 2 || version === 3) return; // 2 differs in nothing that is read here
  if ((version & 0xffff) === 0)
    throw badHeader(file, "a GGUF file for big-endian machines", { hint: "fetch the usual one" });
  throw badHeader(file, `GGUF version ${version}; versions 2 and 3 can be read`, {
    hint: version === 1 ? "convert it again with a current llama.cpp" : hint,
  });
}

const typeOfId = new Map(
  (Object.keys(ggufValueIds) as (keyof typeof ggufValueIds)[]).map((type) => [ggufValueIds[type], type]),
);

function readValue(cursor: Cursor, file: string, key: string): GgufScalar | GgufStoredArray {
  const type = valueType(cursor, file, key);
  switch (type) {
    case "array":
      return readArray(cursor, { file, key });
    case "string": {
      const what = `the value of ${quote(key)}`;
      return { type, value: readText(cursor, { file, what, maxBytes: limits.stringBytes }) };
    }
    case "bool":
      return { type, value: cursor.number("u8") !== 0 };
    case "u64":
    case "i64":
      return { type, value: cursor.bigint(type) };
    default:
      return { type, value: cursor.number(type) };
  }
}

/** Walks an array; its items stay bytes. */
function readArray(cursor: Cursor, { file, key }: { file: string; key: string }, depth = 1): GgufStoredArray {
  if (depth > limits.arrayDepth)
    throw badHeader(file, `the value of ${quote(key)} nests more than ${limits.arrayDepth} deep`);
  const of = valueType(cursor, file, key);
  const length = limited(file, `the length of ${quote(key)}`, cursor.size(), limits.arrayItems);
  const parts: Uint8Array[] = [];
  if (of === "array") for (let i = 0; i < length; i++) readArray(cursor, { file, key }, depth + 1);
  else if (of === "string") parts.push(walkStrings(cursor, length, { file, key }));
  else parts.push(cursor.bytes(length * itemBytes(of)));
  return { type: "array", of, length, bytes: parts[0] ?? new Uint8Array() };
}

function walkStrings(
  cursor: Cursor,
  count: number,
  { file, key }: { file: string; key: string },
): Uint8Array {
  const start = cursor.position;
  const first = cursor.bytes(0);
  const what = `a string in ${quote(key)}`;
  for (let i = 0; i < count; i++) cursor.skip(limited(file, what, cursor.size(), limits.stringBytes));
  return new Uint8Array(first.buffer, first.byteOffset, cursor.position - start);
}

function itemBytes(of: GgufNumberType | "bool" | "u64" | "i64"): number {
  if (of === "bool") return 1;
  return of === "u64" || of === "i64" ? 8 : numberBytes[of];
}

function valueType(cursor: Cursor, file: string, key: string): keyof typeof ggufValueIds {
  const id = cursor.number("u32");
  const type = typeOfId.get(id as (typeof ggufValueIds)[keyof typeof ggufValueIds]);
  if (type !== undefined) return type;
  throw badHeader(file, `the value of ${quote(key)} has type ${id}, which the format does not have`);
}

function readText(
  cursor: Cursor,
  { file, what, maxBytes }: { file: string; what: string; maxBytes: number },
): string {
  const bytes = cursor.bytes(limited(file, `the length of ${what}`, cursor.size(), maxBytes));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw badHeader(file, `${what} is not UTF-8`, { cause });
  }
}

function readAlignment(file: string, metadata: GgufMetadata): number {
  const alignment = metadata.get("general.alignment");
  if (alignment === undefined) return ggufAlignment;
  const { type, value } = alignment as GgufScalar;
  const isPower = typeof value === "number" && value > 0 && Number.isInteger(Math.log2(value));
  if (type === "u32" && isPower && value <= limits.alignment) return value;
  throw badHeader(file, `general.alignment is not a power of two up to ${limits.alignment}`);
}

const typeById = new Map<number, GgmlType>(ggmlTypeNames.map((name) => [ggmlTypes[name].id, name]));

/** A tensor whose offset still counts from the start of the data section. */
function readTensorInfo(cursor: Cursor, file: string): GgufEntry {
  const name = readText(cursor, { file, what: "a tensor's name", maxBytes: limits.nameBytes });
  const dimensions = cursor.number("u32");
  if (dimensions < 1 || dimensions > limits.dimensions)
    throw badTensor(file, name, `has ${dimensions} dimensions; the format allows 1 to ${limits.dimensions}`);
  const shape = Array.from({ length: dimensions }, () => cursor.size()).reverse();
  const typeId = cursor.number("u32");
  const offset = cursor.size();
  const type = typeById.get(typeId);
  let elements = 1;
  for (const size of shape) {
    if (size < 1) throw badTensor(file, name, `shape ${formatShape(shape)} has an empty dimension`);
    elements *= size;
    // No type takes more than 32 bits for a value; this keeps every later product exact.
    if (!(elements * 32 <= Number.MAX_SAFE_INTEGER))
      throw badTensor(file, name, `shape ${formatShape(shape)} is impossibly large`);
  }
  if (type === undefined) return { name, type, typeId, shape, offset, byteLength: Number.NaN };
  const { values } = ggmlTypes[type];
  if (shape[shape.length - 1] % values !== 0)
    throw badTensor(file, name, `rows of ${shape[shape.length - 1]} values are not whole ${type} blocks`);
  return { name, type, typeId, shape, offset, byteLength: ggmlByteLength(type, shape) };
}

interface Place {
  readonly source: ByteSource;
  readonly dataStart: number;
  readonly alignment: number;
}

/** Offsets from the file's beginning; every tensor aligned, inside the file, and inside no other. */
function place(infos: readonly GgufEntry[], { source, dataStart, alignment }: Place): readonly GgufEntry[] {
  const names = new Set<string>();
  const placed = infos.map((info) => {
    if (names.has(info.name)) throw badTensor(source.name, info.name, "is there twice");
    names.add(info.name);
    if (info.offset % alignment !== 0 || !Number.isSafeInteger(info.offset))
      throw badTensor(source.name, info.name, `its offset is not a multiple of ${alignment}`);
    const offset = dataStart + info.offset;
    const end = offset + (Number.isNaN(info.byteLength) ? 0 : info.byteLength);
    if (end > source.size)
      throw new GptOssError("checkpoint/truncated", {
        message: `${source.name}: tensor ${quote(info.name)} ends at byte ${end}, but the file ends at ${source.size}`,
        hint: "the file is incomplete; download or copy it again",
      });
    return { ...info, offset };
  });
  placed.sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const { name, offset, byteLength } of placed) {
    if (offset < end)
      throw badTensor(source.name, name, `begins at byte ${offset}, inside the tensor before it`);
    if (!Number.isNaN(byteLength)) end = offset + byteLength;
  }
  return placed;
}

function limited(file: string, what: string, value: number, max: number): number {
  if (value <= max) return value;
  const found = Number.isFinite(value) ? String(value) : "more than 2^53";
  throw badHeader(file, `${what} is ${found}; at most ${max} is plausible`);
}

function badHeader(
  file: string,
  problem: string,
  options: { hint?: string; cause?: unknown } = {},
): GptOssError {
  return new GptOssError("checkpoint/bad-header", { message: `${file}: ${problem}`, hint, ...options });
}

function badTensor(file: string, name: string, problem: string): GptOssError {
  return new GptOssError("checkpoint/bad-tensor", {
    message: `${file}: tensor ${quote(name)}: ${problem}`,
    hint,
  });
}
