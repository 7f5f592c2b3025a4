// A named tensor somewhere in a file. The one type that `checkpoint` (which makes views) and `backend` (which
// computes on them) share; neither knows the other.

/** Storage types as files name them. MXFP4 in the Hugging Face layout is a pair of U8 tensors: blocks and scales. */
export type DType = "F32" | "F16" | "BF16" | "U8" | "I32";

export const bytesPerElement: Readonly<Record<DType, number>> = { F32: 4, F16: 2, BF16: 2, U8: 1, I32: 4 };

export interface TensorView {
  readonly name: string;
  readonly dtype: DType;
  /** Row-major; the last dimension is contiguous. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Where the bytes lie, when they lie in a local file: a backend may memory-map them instead of calling `read`. */
  readonly location?: { readonly path: string; readonly offset: number };
  /**
   * The tensor's bytes, little-endian, or those in `[start, end)` so that large tensors can be streamed. Reads the file
   * each time it is called; the caller decides what to keep.
   */
  read(start?: number, end?: number): Promise<Uint8Array>;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
