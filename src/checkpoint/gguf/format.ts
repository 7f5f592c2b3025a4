// GGUF version 3 as a file format: value types, storage types and their block sizes. Knows nothing of gpt-oss.
// Source: ggml's docs/gguf.md. Everything is little-endian; strings are UTF-8 with a 64-bit length.

export const ggufMagic = 0x46554747; // "GGUF"
export const ggufVersion = 3;
/** Where the data section and each tensor in it begin, unless `general.alignment` says otherwise. */
export const ggufAlignment = 32;

/** A metadata value with the type it is stored as. */
export type GgufScalar =
  | { readonly type: GgufNumberType; readonly value: number }
  | { readonly type: "u64" | "i64"; readonly value: bigint }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string };

/** What is written: arrays hold one type. */
export type GgufValue =
  | GgufScalar
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

/** Storage types that are read, by ggml's names; F32 to BF16, Q8_0 and MXFP4 are also written. */
export const ggmlTypes = {
  F32: { id: 0, values: 1, bytes: 4 },
  F16: { id: 1, values: 1, bytes: 2 },
  BF16: { id: 30, values: 1, bytes: 2 },
  Q4_0: { id: 2, values: 32, bytes: 18 },
  Q4_1: { id: 3, values: 32, bytes: 20 },
  /** Ollama's number for MXFP4 in its first gpt-oss files, which keep the nibbles in the order of safetensors files. */
  MXFP4_OLLAMA: { id: 4, values: 32, bytes: 17 },
  Q5_0: { id: 6, values: 32, bytes: 22 },
  Q5_1: { id: 7, values: 32, bytes: 24 },
  Q8_0: { id: 8, values: 32, bytes: 34 },
  Q2_K: { id: 10, values: 256, bytes: 84 },
  Q3_K: { id: 11, values: 256, bytes: 110 },
  Q4_K: { id: 12, values: 256, bytes: 144 },
  Q5_K: { id: 13, values: 256, bytes: 176 },
  Q6_K: { id: 14, values: 256, bytes: 210 },
  IQ4_NL: { id: 20, values: 32, bytes: 18 },
  IQ4_XS: { id: 23, values: 256, bytes: 136 },
  MXFP4: { id: 39, values: 32, bytes: 17 },
} as const satisfies Record<string, StorageBlock>;

export type GgmlType = keyof typeof ggmlTypes;

export const ggmlTypeNames = Object.keys(ggmlTypes) as readonly GgmlType[];

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
