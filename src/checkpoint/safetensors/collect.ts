// All tensors of a model's safetensors files, wherever the files are.

import { GptOssError, type TensorView } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import { quote } from "../quote.ts";
import type { ShardIndex } from "../shard-index.ts";
import { isViewable, tensorView } from "../tensor-views.ts";
import { readSafetensorsHeader } from "./header.ts";

export interface CollectedTensors {
  readonly tensors: ReadonlyMap<string, TensorView>;
  /** Tensors of storage types that no layout uses, and so cannot be viewed: name → dtype. */
  readonly unreadable: ReadonlyMap<string, string>;
}

/** Reads the headers of the files, by file name. With an index, every tensor is where the index says. */
export async function collectTensors(
  files: ReadonlyMap<string, ByteSource>,
  index?: ShardIndex,
): Promise<CollectedTensors> {
  const tensors = new Map<string, TensorView>();
  const unreadable = new Map<string, string>();
  const isKnown = (name: string): boolean => tensors.has(name) || unreadable.has(name);
  for (const [fileName, source] of files) {
    for (const entry of (await readSafetensorsHeader(source)).tensors) {
      // The index decides between two copies; a tensor that it does not list is taken as it comes.
      if ((index?.shardOf.get(entry.name) ?? fileName) !== fileName) continue;
      if (isKnown(entry.name))
        throw new GptOssError("checkpoint/bad-tensor", {
          message: `${source.name}: tensor ${quote(entry.name)} is in another file of the model, too`,
          hint: "remove the files that belong to another model",
        });
      if (isViewable(entry)) tensors.set(entry.name, tensorView(source, entry));
      else unreadable.set(entry.name, entry.dtype);
    }
  }
  for (const [name, shard] of index?.shardOf ?? [])
    if (!isKnown(name))
      throw new GptOssError("checkpoint/bad-index", {
        message: `${index?.name}: tensor ${quote(name)} should be in ${quote(shard)}, which does not have it`,
        hint: "index and shards are of different models; fetch them again",
      });
  return { tensors, unreadable };
}
