// `gpt-oss convert`: any layout to any other, streaming in little memory. What changes hands without loss stays as it
// is, bit for bit; what is rounded is measured, tensor by tensor.

import { basename, dirname } from "node:path";
import { GptOssError } from "../../base/index.ts";
import {
  addRoundings,
  type Checkpoint,
  type Companion,
  chatTemplateOf,
  convertedFiles,
  type DenseFormat,
  type ExpertStorage,
  type GgufVocabulary,
  type Layout,
  type NamedFile,
  type OnRounding,
  type Rounding,
  toGguf,
} from "../../checkpoint/index.ts";
import { openCheckpoint, type WriteOptions, writeFiles } from "../../checkpoint/node/index.ts";
import { tokenizerJsonOf } from "../../tokenizer/index.ts";
import { ggufTokenLists, ggufVocabulary } from "../gguf-vocabulary.ts";
import { modelPath } from "./models.ts";
import { tokenizerOf } from "./tokenizer.ts";

export interface ConvertOptions extends WriteOptions {
  /** Any name of a model, as `load` takes it, in any layout. */
  readonly model: string | undefined;
  readonly to: Layout;
  /** A folder, made if needed; for GGUF, the file. */
  readonly out: string;
  /** Attention, embedding and unembedding; 8 bits only in GGUF. Default: BF16, as published. */
  readonly dense?: DenseFormat | undefined;
  /** Default: MXFP4, as published. The original layout has no other. */
  readonly experts?: ExpertStorage | undefined;
  /** Told what will be written before anything is. */
  readonly onPlan?: ((plan: ConversionPlan) => void) | undefined;
}

export interface ConversionPlan {
  readonly from: Layout;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
  /** What the disk must have room for. */
  readonly totalBytes: number;
}

export interface Conversion extends ConversionPlan {
  /** Tensors that lost something; empty where every value is what it was. */
  readonly rounded: readonly RoundedTensor[];
}

export interface RoundedTensor {
  readonly tensor: string;
  readonly to: Rounding["to"];
  /** Root of the errors' mean square over that of the values. */
  readonly relativeError: number;
  readonly largestError: number;
}

/**
 * Writes the model in another layout. Errors: those of `openCheckpoint` and `writeFiles` (nothing is overwritten, and
 * an interrupt leaves nothing behind), `library/bad-option` for what the layout cannot hold.
 *
 * @example
 * await convert({ model: "gpt-oss-20b", to: "gguf", dense: "q8_0", out: "gpt-oss-20b.gguf" });
 */
export async function convert(options: ConvertOptions): Promise<Conversion> {
  const { model, to, out, dense = "bf16", experts = "mxfp4", onPlan } = options;
  refuseImpossible({ to, out, dense, experts });
  const roundings = new Map<string, Rounding>();
  const onRounding: OnRounding = (rounding) => {
    const key = `${rounding.tensor} ${rounding.to}`;
    const before = roundings.get(key);
    roundings.set(key, before ? addRoundings(before, rounding) : rounding);
  };
  // What is rounded is rounded once: 32 bits hold every value of every storage type.
  const decodeTo = dense === "bf16" ? "BF16" : "F32";
  const checkpoint = await openCheckpoint(await modelPath(model), { decodeTo, onRounding });
  try {
    const companions = await checkpoint.companions();
    const files = filesOf(checkpoint, { to, out, dense, experts, companions, onRounding });
    const plan = {
      from: checkpoint.layout,
      files: files.map(({ name, byteLength }) => ({ name, bytes: byteLength })),
      totalBytes: files.reduce((sum, file) => sum + file.byteLength, 0),
    };
    onPlan?.(plan);
    await writeFiles(to === "gguf" ? dirname(out) : out, files, options);
    return { ...plan, rounded: summary([...roundings.values()]) };
  } finally {
    await checkpoint.close();
  }
}

interface Target {
  readonly to: Layout;
  readonly out: string;
  readonly dense: DenseFormat;
  readonly experts: ExpertStorage;
}

function refuseImpossible({ to, out, dense, experts }: Target): void {
  const refuse = (message: string, hint: string): never => {
    throw new GptOssError("library/bad-option", { message, hint });
  };
  if (to === "gguf" && !out.endsWith(".gguf"))
    refuse(`${out}: a GGUF model is one file`, "give a file name that ends in .gguf");
  if (to !== "gguf" && dense === "q8_0")
    refuse(`the ${to} layout has no 8-bit dense weights`, "leave dense at bf16, or convert to gguf");
  if (to === "original" && experts === "bf16")
    refuse("the original layout has MXFP4 experts only", "leave experts at mxfp4, or convert to huggingface");
}

interface Sources {
  readonly companions: readonly Companion[];
  readonly onRounding: OnRounding;
}

function filesOf(checkpoint: Checkpoint, target: Target & Sources): readonly NamedFile[] {
  const { to, out, dense, experts, companions, onRounding } = target;
  if (to !== "gguf")
    return convertedFiles(checkpoint, {
      layout: to,
      experts,
      tokenizerJson: tokenizerJson(checkpoint),
      companions,
      onRounding,
    });
  const name = basename(checkpoint.path).replace(/\.gguf$/i, "");
  const chatTemplate = chatTemplateOf(companions);
  const options = { name, dense, experts, chatTemplate, onRounding };
  const file = toGguf(checkpoint, vocabularyOf(checkpoint), options);
  return [{ ...file, name: basename(out) }];
}

function tokenizerJson({ tokenizerJson, vocabulary, path }: Checkpoint): string | undefined {
  if (tokenizerJson !== undefined || vocabulary === undefined) return tokenizerJson;
  return JSON.stringify(tokenizerJsonOf(ggufTokenLists(path, vocabulary)));
}

function vocabularyOf(checkpoint: Checkpoint): GgufVocabulary {
  return checkpoint.vocabulary ?? ggufVocabulary(tokenizerOf(checkpoint), checkpoint.config.vocabularySize);
}

function summary(roundings: readonly Rounding[]): RoundedTensor[] {
  return roundings
    .filter(({ errorSquares }) => errorSquares > 0)
    .map(({ tensor, to, squares, errorSquares, largestError }) => ({
      tensor,
      to,
      relativeError: Math.sqrt(errorSquares / squares),
      largestError,
    }));
}
