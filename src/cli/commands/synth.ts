import { Command, Option } from "commander";
import { checkpointBytes } from "../../checkpoint/index.ts";
import { readShape, synthesize } from "../../checkpoint/node/index.ts";
import { wholeNumber } from "../options.ts";
import { formatBytes, formatSeconds, interruptible, printNote, progressLine } from "../terminal.ts";
import { writeProgress } from "../write-progress.ts";

interface Options {
  readonly shape: string;
  readonly out: string;
  readonly seed: number;
  readonly layout: "huggingface" | "original";
}

/** `gpt-oss synth`: a checkpoint of any shape with random weights. */
export const synthCommand = (): Command =>
  new Command("synth")
    .summary("write a checkpoint of any shape with random weights")
    .description(
      "Writes a checkpoint with seeded random weights, for trying out speed and memory without a download. It streams " +
        "to disk in little memory; Ctrl-C leaves nothing behind.",
    )
    .requiredOption("--shape <shape>", "20b, 120b, a config.json, or a folder with one")
    .requiredOption("--out <dir>", "folder to write to, made if needed")
    .option("--seed <n>", "same seed, same weights", wholeNumber, 0)
    .addOption(
      new Option("--layout <layout>", "how to name and split the files")
        .choices(["huggingface", "original"])
        .default("huggingface"),
    )
    .action(async (options: Options) => {
      const { config, tokenizerJson } = await readShape(options.shape);
      const { out, seed, layout } = options;
      const line = progressLine();
      const start = performance.now();
      try {
        await interruptible((signal) =>
          synthesize({ config, tokenizerJson, out, seed, layout, signal, ...writeProgress(line) }),
        );
      } finally {
        line.end();
      }
      const seconds = (performance.now() - start) / 1000;
      printNote(`wrote ${formatBytes(checkpointBytes(config))} to ${out} in ${formatSeconds(seconds)}`);
    });
