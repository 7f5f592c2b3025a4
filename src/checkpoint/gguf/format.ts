// GGUF version 3 as a file format: value types, storage types and their block sizes. Knows nothing of gpt-oss.
// Source: ggml's docs/gguf.md. Everything is little-endian; strings are UTF-8 with a 64-bit length.

export const ggufMagic = 0x46554747; // "GGUF"
export const ggufVersion = 3;
/** Where the data section and each tensor in it begin, unless `general.alignment` says otherwise. */
export const ggufAlignment = 32;

/** A metadata value with the type it is stored as. Arrays hold one type. */
export type GgufValue =
  | { readonly type: GgufNumberType; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "array"; readonly of: GgufNumberType; readonly value: ArrayLike<number> }
  | { readonly type: "array"; readonly of: "string"; readonly value: readonly string[] };

export type GgufNumberType = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64";

/** The number that stands for each value type in a file. */
export const ggufValueIds = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const;

/** Storage of one tensor type: `bytes` hold `values` consecutive elements of a row. */
interface StorageBlock {
  readonly id: number;
  readonly values: number;
  readonly bytes: number;
}

/** Storage types that gpt-oss files use, by ggml's names. */
export const ggmlTypes = {
  F32: { id: 0, values: 1, bytes: 4 },
  F16: { id: 1, values: 1, bytes: 2 },
  BF16: { id: 30, values: 1, bytes: 2 },
  Q8_0: { id: 8, values: 32, bytes: 34 },
  MXFP4: { id: 39, values: 32, bytes: 17 },
} as const satisfies Record<string, StorageBlock>;

export type GgmlType = keyof typeof ggmlTypes;

/** A tensor as the header lists it. */
export interface GgufTensorInfo {
  readonly name: string;
  readonly type: GgmlType;
  /** Outermost first, as everywhere in this package; the file itself lists the contiguous dimension first. */
  readonly shape: readonly number[];
}

export function ggmlByteLength(type: GgmlType, shape: readonly number[]): number {
  const { values, bytes } = ggmlTypes[type];
  return (shape.reduce((product, size) => product * size, 1) / values) * bytes;
}

export function alignUp(offset: number, alignment: number = ggufAlignment): number {
  return Math.ceil(offset / alignment) * alignment;
}
