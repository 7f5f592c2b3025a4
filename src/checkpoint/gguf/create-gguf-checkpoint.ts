import { GptOssError } from "../../base/index.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { templateCompanion } from "../companions.ts";
import { quote } from "../quote.ts";
import { bindGguf } from "./bind.ts";
import type { CollectedGguf } from "./collect.ts";
import type { DecodeOptions } from "./dense-view.ts";
import { chatTemplateKey } from "./metadata.ts";
import { ggufArchitecture, parseGgufConfig, parseGgufVocabulary } from "./parse-metadata.ts";
import type { GgufVocabulary } from "./vocabulary.ts";

/** The parts of a checkpoint in GGUF files, from wherever they were read. */
export interface GgufParts extends CollectedGguf, DecodeOptions {
  /** Where it is, for people. */
  readonly path: string;
  close(): Promise<void>;
}

/** Checks that the tensors are those of the metadata, in llama.cpp's dialect or Ollama's. */
export function createGgufCheckpoint(parts: GgufParts): Checkpoint {
  const { path, metadata } = parts;
  const architecture = ggufArchitecture(path, metadata);
  const config = parseGgufConfig(path, metadata);
  const bound = bindGguf(config, { ...parts, name: path, architecture });
  let vocabulary: GgufVocabulary | undefined;
  return {
    path,
    layout: "gguf",
    config,
    files: [...bound.values()],
    tokenizerJson: undefined,
    get vocabulary() {
      vocabulary ??= parseGgufVocabulary(path, metadata);
      return vocabulary;
    },
    tensor: (name) => {
      const view = bound.get(name);
      if (view) return view;
      throw new GptOssError("checkpoint/missing-tensor", {
        message: `${path}: a model of this shape has no tensor ${quote(name)}`,
      });
    },
    companions: async () => {
      const stored = metadata.get(chatTemplateKey);
      return stored?.type === "string" ? [templateCompanion(stored.value)] : [];
    },
    close: parts.close,
  };
}
