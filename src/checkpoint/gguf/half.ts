import { f16ToF32 } from "../../base/index.ts";

let halves: Float32Array | undefined;

/** The f16 at `at`; all of them fit in a table. */
export function halfAt(bytes: Uint8Array, at: number): number {
  halves ??= Float32Array.from({ length: 2 ** 16 }, (_, bits) => f16ToF32(bits));
  return halves[bytes[at] | (bytes[at + 1] << 8)];
}
