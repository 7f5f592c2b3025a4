// An open checkpoint → the files of another layout. Every layout is read as the same views, so this only chooses how
// they are written.

import type { TensorView } from "../../base/index.ts";
import { unquantisedExperts } from "../bf16-experts.ts";
import type { Checkpoint, SafetensorsLayout } from "../checkpoint.ts";
import { checkpointFiles } from "../checkpoint-files.ts";
import type { Companion } from "../companions.ts";
import { type NamedFile, textFile } from "../file-stream.ts";
import type { ExpertStorage } from "../inventory.ts";
import type { OnRounding } from "../numbers/rounding.ts";
import { bf16View } from "./bf16-view.ts";

export interface ConvertedFilesOptions {
  readonly layout: SafetensorsLayout;
  readonly experts: ExpertStorage;
  /** Written as `tokenizer.json`. */
  readonly tokenizerJson: string | undefined;
  /** Written as they are. */
  readonly companions?: readonly Companion[] | undefined;
  /** Told of every piece that lost something. */
  readonly onRounding?: OnRounding | undefined;
}

/** Dense tensors are written as BF16. Nothing is read before the files are. */
export function convertedFiles(
  checkpoint: Checkpoint,
  { layout, experts, tokenizerJson, companions = [], onRounding }: ConvertedFilesOptions,
): readonly NamedFile[] {
  const tensor = (name: string): TensorView => {
    if (!/\.experts\.(gate_up|down)_proj$/.test(name)) return bf16View(checkpoint.tensor(name), onRounding);
    return unquantisedExperts(name, checkpoint.tensor(`${name}_blocks`), checkpoint.tensor(`${name}_scales`));
  };
  return [
    ...companions.map(({ name, text }) => textFile(name, text)),
    ...checkpointFiles(checkpoint.config, tensor, { layout, experts, tokenizerJson }),
  ];
}
