// Views on tensors in byte sources, and on rows of such views. Nothing is read before `read` is called.

import { assert, bytesPerElement, type DType, GptOssError, type TensorView } from "../base/index.ts";
import type { ByteSource } from "./byte-source.ts";

export interface TensorPlace {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly byteLength: number;
}

/** A tensor whose bytes lie together in `source`. */
export function tensorView(source: ByteSource, place: TensorPlace): TensorView {
  const { offset, byteLength } = place;
  return {
    name: place.name,
    dtype: place.dtype,
    shape: place.shape,
    byteLength,
    ...(source.path === undefined ? {} : { location: { path: source.path, offset } }),
    read: async (start = 0, end = byteLength) => {
      assert(0 <= start && start <= end && end <= byteLength, `bytes [${start}, ${end}) of ${byteLength}`);
      return source.read(offset + start, end - start);
    },
  };
}

/** Rows `[row, row + rows)` of a tensor, under a name of their own. Rows are contiguous, so this is an offset. */
export function rowsOf(
  view: TensorView,
  name: string,
  { row, rows }: { readonly row: number; readonly rows: number },
): TensorView {
  const rowBytes = view.byteLength / view.shape[0];
  const first = row * rowBytes;
  const byteLength = rows * rowBytes;
  return {
    name,
    dtype: view.dtype,
    shape: [rows, ...view.shape.slice(1)],
    byteLength,
    ...(view.location && { location: { path: view.location.path, offset: view.location.offset + first } }),
    read: async (start = 0, end = byteLength) => {
      assert(0 <= start && start <= end && end <= byteLength, `bytes [${start}, ${end}) of ${byteLength}`);
      return view.read(first + start, first + end);
    },
  };
}

/** False for storage types that no gpt-oss layout has, such as 64-bit numbers. */
export function isViewable<T extends { readonly dtype: string }>(
  entry: T,
): entry is T & { readonly dtype: DType } {
  return Object.hasOwn(bytesPerElement, entry.dtype);
}

/** Rows of several views of one dtype, one after the other: the inverse of `rowsOf`. */
export function concatenated(name: string, views: readonly TensorView[]): TensorView {
  const [{ dtype, shape }] = views;
  for (const view of views)
    if (view.dtype !== dtype)
      throw new GptOssError("checkpoint/wrong-dtype", {
        message: `${name}: ${view.name} is ${view.dtype}, but ${views[0].name} is ${dtype}`,
        hint: "the original layout stores them in one tensor, so they must be of one type",
      });
  const rows = views.reduce((sum, view) => sum + view.shape[0], 0);
  const byteLength = views.reduce((sum, view) => sum + view.byteLength, 0);
  return {
    name,
    dtype,
    shape: [rows, ...shape.slice(1)],
    byteLength,
    read: async (start = 0, end = byteLength) => {
      const bytes = new Uint8Array(end - start);
      let first = 0;
      for (const view of views) {
        const from = Math.max(start, first);
        const to = Math.min(end, first + view.byteLength);
        if (from < to) bytes.set(await view.read(from - first, to - first), from - start);
        first += view.byteLength;
      }
      return bytes;
    },
  };
}
