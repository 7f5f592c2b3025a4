// model.safetensors.index.json: which shard holds which tensor.

import { type Complaint, complain, isObject, type JsonFile, parseJsonObject } from "./json.ts";
import { describe, quote } from "./quote.ts";

export interface ShardIndex {
  /** The index's own file name, for errors. */
  readonly name: string;
  /** Tensor name → shard: a plain file name beside the index. */
  readonly shardOf: ReadonlyMap<string, string>;
}

const complaint: Complaint = {
  code: "checkpoint/bad-index",
  hint: "the index is damaged; fetch it again from where the model was published",
};

export function parseShardIndex(file: JsonFile): ShardIndex {
  const { weight_map: map } = parseJsonObject(file, complaint);
  if (!isObject(map))
    throw complain(complaint, `${file.name}: weight_map is ${describe(map)}; expected an object`);
  const shardOf = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (!isPlainFileName(shard))
      throw complain(
        complaint,
        `${file.name}: tensor ${quote(tensor)} is in ${describe(shard)}; expected the name of a .safetensors file beside the index`,
      );
    shardOf.set(tensor, shard);
  }
  if (shardOf.size === 0) throw complain(complaint, `${file.name}: weight_map names no tensor`);
  return { name: file.name, shardOf };
}

/** A path could lead out of the folder. */
function isPlainFileName(shard: unknown): shard is string {
  return typeof shard === "string" && /^[^/\\\0:]+\.safetensors$/.test(shard);
}
