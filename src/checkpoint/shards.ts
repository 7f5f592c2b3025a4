// How tensors are spread over safetensors files, as the published checkpoints have it.

import { bytesPerElement } from "../base/index.ts";
import type { TensorHeading } from "./safetensors/encode-header.ts";

/** Transformers' default: no file over 5 GB, unless one tensor is. gpt-oss-20b makes three, of which two are full. */
const maxShardBytes = 5e9;

export interface Shard<T extends TensorHeading> {
  readonly fileName: string;
  readonly tensors: readonly T[];
}

/** Fills shard after shard in the given order. Published names count from 0 and end with the last shard's number. */
export function planShards<T extends TensorHeading>(
  tensors: readonly T[],
  maxBytes = maxShardBytes,
): readonly Shard<T>[] {
  const shards: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    if (bytes + tensor.byteLength > maxBytes) {
      shards.push([]);
      bytes = 0;
    }
    shards[shards.length - 1].push(tensor);
    bytes += tensor.byteLength;
  }
  const number = (shard: number): string => String(shard).padStart(5, "0");
  return shards.map((members, shard) => ({
    fileName: `model-${number(shard)}-of-${number(shards.length - 1)}.safetensors`,
    tensors: inWriterOrder(members),
  }));
}

/** The reference writer's order: wide elements first, so that all are aligned, then by name. */
export function inWriterOrder<T extends TensorHeading>(tensors: readonly T[]): readonly T[] {
  return [...tensors].sort(
    (a, b) => bytesPerElement[b.dtype] - bytesPerElement[a.dtype] || (a.name < b.name ? -1 : 1),
  );
}

/** The text of `model.safetensors.index.json`. */
export function formatShardIndex(shards: readonly Shard<TensorHeading>[]): string {
  const placed = shards.flatMap(({ fileName, tensors }) => tensors.map((tensor) => ({ fileName, tensor })));
  placed.sort((a, b) => (a.tensor.name < b.tensor.name ? -1 : 1));
  const index = {
    metadata: { total_size: placed.reduce((sum, { tensor }) => sum + tensor.byteLength, 0) },
    weight_map: Object.fromEntries(placed.map(({ fileName, tensor }) => [tensor.name, fileName])),
  };
  return `${JSON.stringify(index, undefined, 2)}\n`;
}
