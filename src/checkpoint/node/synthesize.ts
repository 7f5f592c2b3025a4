// `gpt-oss synth`: checkpoints of any shape with random weights, for trying out speed, memory and tools without a
// download.

import { assert, type TensorView } from "../../base/index.ts";
import type { SafetensorsLayout } from "../checkpoint.ts";
import { checkpointFiles } from "../checkpoint-files.ts";
import type { ModelConfig } from "../config.ts";
import { syntheticTensors } from "../synth/synthetic-tensors.ts";
import { type WriteOptions, writeFiles } from "./write-files.ts";

export interface SynthesizeOptions extends WriteOptions {
  readonly config: ModelConfig;
  /** A folder, made if needed. */
  readonly out: string;
  /** A whole number; the same seed gives the same weights, in both layouts and on every machine. */
  readonly seed: number;
  readonly layout?: SafetensorsLayout | undefined;
  /** Written as `tokenizer.json`. Not needed for the vocabulary of the published models, which is built in. */
  readonly tokenizerJson?: string | undefined;
}

/** Writes a checkpoint of any shape with seeded random weights, streaming. Errors: those of `writeFiles`. */
export async function synthesize(options: SynthesizeOptions): Promise<void> {
  const { config, out, seed, layout = "huggingface", tokenizerJson } = options;
  const tensors = syntheticTensors(config, seed);
  const tensor = (name: string): TensorView => {
    const view = tensors.get(name);
    assert(view !== undefined, name);
    return view;
  };
  await writeFiles(out, checkpointFiles(config, tensor, { layout, tokenizerJson }), options);
}
