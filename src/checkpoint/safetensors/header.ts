// The header of a safetensors file → its tensors, every claim checked before anything is believed. Pure: it is given
// bytes. What a tensor is for is not known here. Format: https://github.com/huggingface/safetensors#format

import { GptOssError } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import { type Complaint, isObject, type JsonObject, parseJsonObject } from "../json.ts";
import { describe, formatShape, quote } from "../quote.ts";
import { checkStructure } from "./structure.ts";

export interface SafetensorsHeader {
  /** `__metadata__`; often `{ format: "pt" }`. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order in which they lie in the file. */
  readonly tensors: readonly SafetensorsEntry[];
}

export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Position of the first byte in the file. */
  readonly offset: number;
  readonly byteLength: number;
}

/** The reference reader's cap (MAX_HEADER_SIZE): a longer header is hostile or not a header. */
const maxHeaderBytes = 100_000_000;

/** Storage types of the format, in bits. */
export const dtypeBits: ReadonlyMap<string, number> = new Map([
  ...["F4"].map((name) => [name, 4] as const),
  ...["F6_E2M3", "F6_E3M2"].map((name) => [name, 6] as const),
  ...["BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"].map((name) => [name, 8] as const),
  ...["I16", "U16", "F16", "BF16"].map((name) => [name, 16] as const),
  ...["I32", "U32", "F32"].map((name) => [name, 32] as const),
  ...["I64", "U64", "F64", "C64"].map((name) => [name, 64] as const),
]);

const complaint: Complaint = {
  code: "checkpoint/bad-header",
  hint: "the file is damaged; download or copy it again",
};

/** Reads and checks the header; the tensors' bytes are not touched. */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const prefix = await source.read(0, Math.min(source.size, 16));
  const headerBytes = headerLength(source, prefix);
  const header = await source.read(8, headerBytes);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
  } catch (cause) {
    throw badHeader(`${source.name}: the header is not UTF-8`, { cause });
  }
  checkStructure(source.name, text);
  const json = parseJsonObject({ name: `${source.name} (header)`, text }, complaint);
  const { __metadata__: metadata, ...entries } = json;
  const data = { start: 8 + headerBytes, size: source.size - 8 - headerBytes };
  const tensors = Object.entries(entries).map(([name, entry]) => parseEntry(source.name, name, entry, data));
  return { metadata: parseMetadata(source.name, metadata), tensors: inFileOrder(source.name, tensors, data) };
}

interface Region {
  readonly start: number;
  readonly size: number;
}

function headerLength(source: ByteSource, prefix: Uint8Array): number {
  const beginning = new TextDecoder("latin1").decode(prefix);
  if (beginning.startsWith("version https://"))
    throw badHeader(`${source.name}: a Git LFS pointer, not the file it points to`, {
      hint: "run `git lfs pull` in the repository that it was cloned from",
    });
  if (prefix.length < 9)
    throw new GptOssError("checkpoint/truncated", {
      message: `${source.name}: ${source.size} bytes are too few for a safetensors file`,
      hint: complaint.hint,
    });
  const view = new DataView(prefix.buffer, prefix.byteOffset);
  const length = view.getBigUint64(0, true);
  if (length < 2n || length > maxHeaderBytes || prefix[8] !== 0x7b)
    throw badHeader(
      `${source.name}: expected a header length of 2 to ${maxHeaderBytes} bytes and then "{"; ` +
        `the file begins with ${quote(beginning)}`,
      { hint: "this is not a safetensors file, or it is damaged" },
    );
  if (8n + length > BigInt(source.size))
    throw new GptOssError("checkpoint/truncated", {
      message: `${source.name}: the header claims ${length} bytes, but the file has ${source.size}`,
      hint: complaint.hint,
    });
  return Number(length);
}

function parseMetadata(file: string, metadata: unknown): Readonly<Record<string, string>> {
  if (metadata === undefined) return {};
  if (isObject(metadata) && Object.values(metadata).every((value) => typeof value === "string"))
    return metadata as Record<string, string>;
  throw badHeader(`${file}: __metadata__ is not an object of strings`);
}

function parseEntry(file: string, name: string, entry: unknown, data: Region): SafetensorsEntry {
  const fail = (problem: string): never => {
    throw badTensor(file, name, problem);
  };
  if (!isObject(entry)) return fail(`expected an object, got ${describe(entry)}`);
  const { dtype, shape, data_offsets: offsets }: JsonObject = entry;
  const bits = typeof dtype === "string" ? dtypeBits.get(dtype) : undefined;
  if (typeof dtype !== "string" || bits === undefined)
    return fail(`dtype is ${describe(dtype)}, which the format does not have`);
  if (!isListOfSizes(shape)) return fail("shape is not a list of whole numbers");
  if (!isListOfSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1])
    return fail("data_offsets is not a pair [begin, end] of whole numbers");

  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (elements * bits > Number.MAX_SAFE_INTEGER)
      return fail(`shape ${formatShape(shape)} is impossibly large`);
  }
  const byteLength = offsets[1] - offsets[0];
  if (elements * bits !== byteLength * 8)
    return fail(
      `${dtype} ${formatShape(shape)} needs ${(elements * bits) / 8} bytes, but data_offsets spans ${byteLength}`,
    );
  if (offsets[1] > data.size)
    throw new GptOssError("checkpoint/truncated", {
      message: `${file}: tensor ${quote(name)} ends at byte ${data.start + offsets[1]}, but the file ends at ${data.start + data.size}`,
      hint: complaint.hint,
    });
  return { name, dtype, shape, offset: data.start + offsets[0], byteLength };
}

function isListOfSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

/** "The byte buffer needs to be entirely indexed, and cannot contain holes": tensors follow each other to the end. */
function inFileOrder(file: string, tensors: SafetensorsEntry[], data: Region): readonly SafetensorsEntry[] {
  tensors.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength);
  let end = data.start;
  for (const { name, offset, byteLength } of tensors) {
    if (offset < end) throw badTensor(file, name, `begins at byte ${offset}, inside the tensor before it`);
    if (offset > end)
      throw badTensor(file, name, `begins at byte ${offset}, leaving a hole after byte ${end}`);
    end = offset + byteLength;
  }
  const rest = data.start + data.size - end;
  if (rest > 0) throw badHeader(`${file}: ${rest} bytes after the last tensor belong to none`);
  return tensors;
}

function badHeader(
  message: string,
  { hint = complaint.hint, cause = undefined as unknown } = {},
): GptOssError {
  return new GptOssError("checkpoint/bad-header", { message, hint, cause });
}

function badTensor(file: string, name: string, problem: string): GptOssError {
  return new GptOssError("checkpoint/bad-tensor", {
    message: `${file}: tensor ${quote(name)}: ${problem}`,
    hint: complaint.hint,
  });
}
