// Reads the little-endian values of a GGUF header one after the other. Knows no more of the format than how a number
// and a string are written; what is allowed to stand where, and how much of it, is decided in header.ts.

import type { GgufNumberType } from "./format.ts";

/** Thrown where the bytes end before the value does; whoever holds more of the file may begin again. */
export class EndOfBytes extends Error {
  override readonly name = "EndOfBytes";
}

export interface Cursor {
  /** Position of the next byte in the file. */
  readonly position: number;
  number(type: GgufNumberType): number;
  /** A length or an offset. Above 2^53 it becomes Infinity, which no check lets through. */
  size(): number;
  bigint(type: "u64" | "i64"): bigint;
  /** The next `length` bytes, not copied. */
  bytes(length: number): Uint8Array;
  skip(length: number): void;
}

export const numberBytes: Readonly<Record<GgufNumberType, number>> = {
  u8: 1,
  i8: 1,
  u16: 2,
  i16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  f64: 8,
};

export function createCursor(head: Uint8Array): Cursor {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  let position = 0;
  const take = (length: number): number => {
    const at = position;
    if (!(length <= head.length - at)) throw new EndOfBytes();
    position += length;
    return at;
  };
  return {
    get position() {
      return position;
    },
    number: (type) => readNumber(view, type, take(numberBytes[type])),
    size: () => {
      const at = take(8);
      const high = view.getUint32(at + 4, true);
      return high < 2 ** 21 ? high * 2 ** 32 + view.getUint32(at, true) : Number.POSITIVE_INFINITY;
    },
    bigint: (type) => {
      const at = take(8);
      return type === "u64" ? view.getBigUint64(at, true) : view.getBigInt64(at, true);
    },
    bytes: (length) => {
      const at = take(length);
      return head.subarray(at, at + length);
    },
    skip: (length) => void take(length),
  };
}

export function readNumber(view: DataView, type: GgufNumberType, at: number): number {
  switch (type) {
    case "u8":
      return view.getUint8(at);
    case "i8":
      return view.getInt8(at);
    case "u16":
      return view.getUint16(at, true);
    case "i16":
      return view.getInt16(at, true);
    case "u32":
      return view.getUint32(at, true);
    case "i32":
      return view.getInt32(at, true);
    case "f32":
      return view.getFloat32(at, true);
    case "f64":
      return view.getFloat64(at, true);
    default:
      return type satisfies never;
  }
}
