// Arrays of GGUF metadata: kept as the file's bytes, decoded when asked for.

import { numberBytes, readNumber } from "./cursor.ts";
import type { GgufNumberType } from "./format.ts";

/** An array whose items were checked to lie inside the file; nested arrays are not kept. */
export interface GgufStoredArray {
  readonly type: "array";
  readonly of: GgufNumberType | "bool" | "u64" | "i64" | "string" | "array";
  readonly length: number;
  /** The items as they are stored. */
  readonly bytes: Uint8Array;
}

/** The strings of an array of strings; bytes that are not UTF-8 become U+FFFD. */
export function stringsOf({ of, length, bytes }: GgufStoredArray): string[] | undefined {
  if (of !== "string") return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  const strings = new Array<string>(length);
  let at = 0;
  for (let i = 0; i < length; i++) {
    const end = at + 8 + view.getUint32(at, true); // the upper half was checked to be 0
    strings[i] = utf8.decode(bytes.subarray(at + 8, end));
    at = end;
  }
  return strings;
}

/** The numbers of an array of numbers of up to 32 bits, or of doubles. */
export function numbersOf({ of, length, bytes }: GgufStoredArray): number[] | undefined {
  if (of === "string" || of === "array" || of === "bool" || of === "u64" || of === "i64") return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length }, (_, i) => readNumber(view, of, i * numberBytes[of]));
}
