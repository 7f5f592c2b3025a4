// A named tensor somewhere in a file. The one type that `checkpoint` (which makes views) and `backend` (which
// computes on them) share; neither knows the other.

/** Storage types as files name them. MXFP4 in the Hugging Face layout is a pair of U8 tensors: blocks and scales. */
export type DType = "F32" | "F16" | "BF16" | "U8" | "I32";

export const bytesPerElement: Readonly<Record<DType, number>> = { F32: 4, F16: 2, BF16: 2, U8: 1, I32: 4 };

/** Bytes in a local file, which a backend may memory-map. */
export interface FilePlace {
  readonly path: string;
  readonly offset: number;
}

/**
 * Quantised values in ggml's blocks of 32, for a backend that computes on them where they lie.
 * - `q8_0`: rows of 34-byte blocks: an f16 scale and 32 signed bytes.
 * - `mxfp4`: experts as rows of 17-byte blocks, the exponent first. Row r of an expert is row ⌊r / parts⌋ of part
 *   r mod parts; `nibbles` says which elements of a block share a byte: j and j + 16, or 2j and 2j + 1.
 */
export type StoredBlocks =
  | ({ readonly type: "q8_0" } & FilePlace)
  | {
      readonly type: "mxfp4";
      readonly nibbles: "halves" | "pairs";
      /** `expertBytes` is from one expert's rows to the next one's. */
      readonly parts: readonly (FilePlace & { readonly expertBytes: number })[];
    };

export interface TensorView {
  readonly name: string;
  readonly dtype: DType;
  /** Row-major; the last dimension is contiguous. */
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Where the bytes lie, when they lie in a local file: a backend may memory-map them instead of calling `read`. */
  readonly location?: FilePlace;
  /** What `read` makes its bytes from, where it makes them. Of MXFP4, the scales come with their blocks. */
  readonly stored?: StoredBlocks;
  /**
   * The tensor's bytes, little-endian, or those in `[start, end)` so that large tensors can be streamed. Reads the file
   * each time it is called; the caller decides what to keep.
   */
  read(start?: number, end?: number): Promise<Uint8Array>;
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
