// `gpt-oss convert`: options, progress and the report; what is converted how is in src/checkpoint/convert/.

import { Command, Option } from "commander";
import type { DenseFormat, ExpertStorage, Layout } from "../../checkpoint/index.ts";
import {
  type Conversion,
  type ConversionPlan,
  convert,
  type RoundedTensor,
} from "../../library/node/index.ts";
import { jsonOption, modelOption } from "../options.ts";
import {
  formatBytes,
  formatSeconds,
  interruptible,
  printJson,
  printLine,
  printNote,
  progressLine,
} from "../terminal.ts";
import { writeProgress } from "../write-progress.ts";

interface Options {
  readonly model?: string;
  readonly to: Layout;
  readonly out: string;
  readonly dense: DenseFormat;
  readonly experts: ExpertStorage;
  readonly json?: true;
}

/** `gpt-oss convert`: a model in another layout. */
export const convertCommand = (): Command =>
  new Command("convert")
    .summary("write a model in another layout: Hugging Face, original, or GGUF")
    .description(
      "Writes a model in another layout. MXFP4 experts and BF16 weights keep every bit, there and back again; what is " +
        "rounded is measured and said. It streams in little memory and overwrites nothing; Ctrl-C leaves nothing behind.",
    )
    .addOption(modelOption())
    .addOption(
      new Option(
        "--to <layout>",
        "GGUF is for llama.cpp and Ollama, the others for Transformers, vLLM and OpenAI's code",
      )
        .choices(["gguf", "huggingface", "original"] satisfies Layout[])
        .makeOptionMandatory(),
    )
    .requiredOption("--out <path>", "folder to write to, made if needed; for gguf, a file")
    .addOption(
      new Option("--dense <type>", "attention and embeddings; 8 bits only in gguf")
        .choices(["bf16", "q8_0"] satisfies DenseFormat[])
        .default("bf16"),
    )
    .addOption(
      new Option("--experts <type>", "bf16 is what Transformers fine-tunes; it takes four times the room")
        .choices(["mxfp4", "bf16"] satisfies ExpertStorage[])
        .default("mxfp4"),
    )
    .addOption(jsonOption("what was written, and every tensor that was rounded,"))
    .action(async ({ model, json, ...options }: Options) => {
      const line = progressLine();
      const start = performance.now();
      const onPlan = ({ from, totalBytes }: ConversionPlan): void =>
        printNote(`${from} to ${options.to}: needs ${formatBytes(totalBytes)} of disk`);
      let conversion: Conversion;
      try {
        conversion = await interruptible((signal) =>
          convert({ ...options, model, signal, onPlan, ...writeProgress(line) }),
        );
      } finally {
        line.end();
      }
      const seconds = (performance.now() - start) / 1000;
      if (json) return printJson({ ...conversion, seconds });
      const { files, totalBytes, rounded } = conversion;
      const many = files.length > 1 ? `, ${files.length} files` : "";
      printLine(`wrote ${formatBytes(totalBytes)} to ${options.out}${many} in ${formatSeconds(seconds)}`);
      for (const text of describeRounding(rounded)) printLine(text);
    });

/** One line for each type that was rounded to; `--json` has them all. */
function describeRounding(rounded: readonly RoundedTensor[]): string[] {
  if (rounded.length === 0) return ["no value was rounded"];
  const percent = (part: number): string => `${(100 * part).toPrecision(2)} %`;
  return [...new Set(rounded.map(({ to }) => to))].map((to) => {
    const tensors = rounded.filter((tensor) => tensor.to === to);
    const worst = tensors.reduce((a, b) => (b.relativeError > a.relativeError ? b : a));
    return `rounded to ${to}: ${tensors.length} tensors, by at most ${percent(worst.relativeError)} of their size (${worst.tensor})`;
  });
}
