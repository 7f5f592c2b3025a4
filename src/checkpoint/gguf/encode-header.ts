// Metadata and tensor list → the bytes before a GGUF file's data section.

import { numberBytes } from "./cursor.ts";
import {
  alignUp,
  type GgufNumberType,
  type GgufTensorInfo,
  type GgufValue,
  ggmlByteLength,
  ggmlTypes,
  ggufMagic,
  ggufValueIds,
  ggufVersion,
} from "./format.ts";

/**
 * The header, padded so that the data section may follow at once. Tensors are laid out in the given order, each at the
 * next multiple of the alignment; `dataBytes` is the length of the data section, its last padding included.
 */
export function encodeGgufHeader(
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensorInfo[],
): { readonly header: Uint8Array; readonly dataBytes: number } {
  const out = new GrowingBytes();
  out.u32(ggufMagic);
  out.u32(ggufVersion);
  out.u64(tensors.length);
  out.u64(metadata.size);
  for (const [key, value] of metadata) {
    out.string(key);
    out.u32(ggufValueIds[value.type]);
    writeValue(out, value);
  }
  let offset = 0;
  for (const { name, type, shape } of tensors) {
    out.string(name);
    out.u32(shape.length);
    for (const size of [...shape].reverse()) out.u64(size);
    out.u32(ggmlTypes[type].id);
    out.u64(offset);
    offset = alignUp(offset + ggmlByteLength(type, shape));
  }
  return { header: out.padded(), dataBytes: offset };
}

function writeValue(out: GrowingBytes, value: GgufValue): void {
  switch (value.type) {
    case "string":
      out.string(value.value);
      break;
    case "bool":
      out.number("u8", value.value ? 1 : 0);
      break;
    case "u64":
    case "i64":
      out.bigint(value.value);
      break;
    case "array":
      out.u32(ggufValueIds[value.of]);
      out.u64(value.value.length);
      if (value.of === "string") for (const item of value.value) out.string(item);
      else for (let i = 0; i < value.value.length; i++) out.number(value.of, value.value[i]);
      break;
    default:
      out.number(value.type, value.value);
  }
}

class GrowingBytes {
  #bytes = new Uint8Array(1 << 16);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #reserve(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, this.#bytes.length * 2));
      grown.set(this.#bytes);
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u32(value: number): void {
    this.number("u32", value);
  }

  u64(value: number): void {
    this.bigint(BigInt(value));
  }

  bigint(value: bigint): void {
    const at = this.#reserve(8);
    this.#view.setBigInt64(at, value, true);
  }

  string(value: string): void {
    const encoded = new TextEncoder().encode(value);
    this.u64(encoded.length);
    const at = this.#reserve(encoded.length);
    this.#bytes.set(encoded, at);
  }

  number(kind: GgufNumberType, value: number): void {
    const at = this.#reserve(numberBytes[kind]);
    switch (kind) {
      case "u8":
      case "i8":
        this.#view.setUint8(at, value);
        break;
      case "u16":
      case "i16":
        this.#view.setUint16(at, value, true);
        break;
      case "u32":
      case "i32":
        this.#view.setUint32(at, value, true);
        break;
      case "f32":
        this.#view.setFloat32(at, value, true);
        break;
      case "f64":
        this.#view.setFloat64(at, value, true);
        break;
      default:
        kind satisfies never;
    }
  }

  padded(): Uint8Array {
    this.#reserve(alignUp(this.#length) - this.#length);
    return this.#bytes.slice(0, this.#length);
  }
}
