import { Command } from "commander";
import { GptOssError } from "../../base/index.ts";
import { type Check, type VerifyProgress, verify } from "../../library/node/index.ts";
import { weightOptions } from "../model.ts";
import { addComputeOptions, type ComputeOptions, jsonOption } from "../options.ts";
import { formatBytes, interruptible, printJson, printLine, printNote, progressLine } from "../terminal.ts";

interface Options extends ComputeOptions {
  readonly json?: true;
}

/** `gpt-oss verify`: is this installation whole, and does it compute what it should? */
export const verifyCommand = (): Command =>
  addComputeOptions(
    new Command("verify")
      .summary("prove that a model is whole and computes what it should")
      .description(
        "Checks a model's files, tensors, tokenizer and harmony, the backends against the reference on some layers, and " +
          "the cache, and gives its perplexity on a short text. Runs a model of any size in the memory of one layer. The " +
          "exit code is 1 when a check failed. Needs no network.",
      )
      .addOption(jsonOption("every check with its figures")),
  ).action(async (options: Options) => {
    const start = performance.now();
    const checks = await interruptible((signal) => run(options, signal));
    const failed = checks.filter(({ status }) => status === "failed").map(({ name }) => name);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    const seconds = (performance.now() - start) / 1000;
    if (options.json) printJson({ passed: failed.length === 0, checks, peakBytes, seconds });
    printNote(`${seconds.toFixed(1)} s, at most ${formatBytes(peakBytes)} of memory, mapped files included`);
    if (failed.length > 0)
      throw new GptOssError("library/not-verified", {
        message: `the model did not pass: ${failed.join(", ")}`,
        hint: failed.includes("files")
          ? "gpt-oss pull --check fetches damaged files of the hub again; docs/models.md says what each check means"
          : "docs/models.md says what each check means",
      });
  });

async function run(options: Options, signal: AbortSignal): Promise<Check[]> {
  const line = progressLine();
  const onProgress = (progress: VerifyProgress): void => line.update(describeProgress(progress));
  const checks: Check[] = [];
  try {
    const how = { ...weightOptions(options), ...(options.cache && { cache: options.cache }) };
    for await (const check of verify(options.model, { ...how, signal, onProgress })) {
      line.end();
      checks.push(check);
      if (!options.json) printLine(`${check.name.padEnd(12)}${check.status.padEnd(9)}${check.detail}`);
    }
  } finally {
    line.end();
  }
  return checks;
}

function describeProgress({ check, done, total }: VerifyProgress): string {
  if (check === "backends") return `computing layer ${done} of ${total}`;
  return `${check}: ${formatBytes(done)} of ${formatBytes(total)}`;
}
