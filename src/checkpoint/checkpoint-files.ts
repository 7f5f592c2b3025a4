// A model → the files of a published layout. The tensors may come from another checkpoint or from nowhere (synth).

import type { TensorView } from "../base/index.ts";
import type { SafetensorsLayout } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import { type NamedFile, safetensorsFile, textFile } from "./file-stream.ts";
import { formatConfig, formatGenerationConfig } from "./format-config.ts";
import { type ExpertStorage, type StoredTensor, storedTensors } from "./inventory.ts";
import { formatShardIndex, inWriterOrder, planShards } from "./shards.ts";
import { concatenated } from "./tensor-views.ts";

export interface CheckpointFilesOptions {
  readonly layout: SafetensorsLayout;
  /** Default: MXFP4. In BF16, `tensor` is asked for `…experts.gate_up_proj` `[E, D, 2·I]` and `down_proj` `[E, I, D]`. */
  readonly experts?: ExpertStorage | undefined;
  /** Written as `tokenizer.json`. */
  readonly tokenizerJson?: string | undefined;
}

/**
 * Every file of the checkpoint, weights first. `tensor` gives a tensor by its Hugging Face name; nothing is read from it
 * before the files are. The original layout is one `model.safetensors`, as OpenAI publishes gpt-oss-20b.
 */
export function checkpointFiles(
  config: ModelConfig,
  tensor: (name: string) => TensorView,
  { layout, experts, tokenizerJson }: CheckpointFilesOptions,
): readonly NamedFile[] {
  const tensors = storedTensors(config, layout, experts).map((stored) => storedView(stored, tensor));
  return [
    ...weightFiles(tensors, layout),
    ...(tokenizerJson === undefined ? [] : [textFile("tokenizer.json", tokenizerJson)]),
    textFile("generation_config.json", formatGenerationConfig(config)),
    textFile("config.json", formatConfig(config, layout, experts)),
  ];
}

function weightFiles(tensors: readonly TensorView[], layout: SafetensorsLayout): readonly NamedFile[] {
  const shards = planShards(tensors);
  if (layout === "original" || shards.length === 1)
    return [safetensorsFile("model.safetensors", inWriterOrder(tensors))];
  return [
    ...shards.map((shard) => safetensorsFile(shard.fileName, shard.tensors)),
    textFile("model.safetensors.index.json", formatShardIndex(shards)),
  ];
}

function storedView(stored: StoredTensor, tensor: (name: string) => TensorView): TensorView {
  const views = stored.members.map((member) => tensor(member.name));
  return views.length === 1 ? { ...views[0], name: stored.name } : concatenated(stored.name, views);
}
