import { GptOssError } from "../base/index.ts";
import { bindTensors, layoutOf } from "./bind.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Companion } from "./companions.ts";
import type { JsonFile } from "./json.ts";
import type { OnRounding } from "./numbers/rounding.ts";
import { parseConfig } from "./parse-config.ts";
import { quote } from "./quote.ts";
import type { CollectedTensors } from "./safetensors/collect.ts";

/** The parts of a checkpoint, from wherever they were read. */
export interface CheckpointParts extends CollectedTensors {
  /** Where it is, for people. */
  readonly path: string;
  readonly config: JsonFile;
  readonly generationConfig: JsonFile | undefined;
  readonly tokenizer: JsonFile | undefined;
  /** Told when experts that are not MXFP4 are rounded to it. */
  readonly onRounding?: OnRounding | undefined;
  /** Default: none. */
  companions?(): Promise<readonly Companion[]>;
  close(): Promise<void>;
}

/** Checks that the tensors are those of the config, in either layout. */
export function createCheckpoint(parts: CheckpointParts): Checkpoint {
  const config = parseConfig(parts.config, parts.generationConfig);
  const layout = layoutOf(parts.tensors);
  const bound = bindTensors(config, { ...parts, name: parts.path, layout });
  return {
    path: parts.path,
    layout,
    config,
    files: [...parts.tensors.values()],
    tokenizerJson: parts.tokenizer?.text,
    tensor: (name) => {
      const view = bound.get(name);
      if (view) return view;
      throw new GptOssError("checkpoint/missing-tensor", {
        message: `${parts.path}: a model of this shape has no tensor ${quote(name)}`,
      });
    },
    companions: parts.companions ?? (async () => []),
    close: parts.close,
  };
}
