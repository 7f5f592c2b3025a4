// `gpt-oss bench`: how fast this model is on this machine, for people and for bench/.

import { readFileSync } from "node:fs";
import { Command } from "commander";
import { type Measurement, measure } from "../../library/index.ts";
import { loadCliWeights } from "../model.ts";
import { addComputeOptions, type ComputeOptions, count, jsonOption, wholeNumber } from "../options.ts";
import { formatBytes, interruptible, printJson, printLine, progressLine } from "../terminal.ts";

interface Options extends ComputeOptions {
  readonly prefill: number;
  readonly decode: number;
  readonly sequences: number;
  readonly position?: number;
  readonly json?: true;
}

interface Report extends Measurement {
  readonly backend: string;
  readonly description: string;
  readonly loadSeconds: number;
  /** What the process holds beyond memory-mapped files, cache of the measurement included; null where unknown. */
  readonly residentBytes: number | null;
  /** Of that, what the backend holds for weights. */
  readonly weightBytes: number;
}

export const benchCommand = (): Command =>
  addComputeOptions(
    new Command("bench")
      .summary("measure loading, prefill and decoding")
      .description(
        "Measures loading, prefill of a prompt, and decoding after it. Close other programs first: they take part of " +
          "every figure. Loading is only as fast as the disk unless the files were read before.",
      )
      .option("--prefill <n>", "tokens of the prompt", count, 512)
      .option("--decode <n>", "tokens to decode", count, 32)
      .option("--sequences <n>", "sequences that decode side by side", count, 1)
      .option("--position <n>", "decode from this position on (default: after the prompt)", wholeNumber)
      .addOption(jsonOption("the figures")),
  ).action(async (options: Options) => {
    const report = await interruptible((signal) => run(options, signal));
    if (options.json) printJson(report);
    else for (const line of describe(report)) printLine(line);
  });

async function run(options: Options, signal: AbortSignal): Promise<Report> {
  const { prefill, decode, sequences, position, cache } = options;
  const loadStart = performance.now();
  const { model, close } = await loadCliWeights(options, signal);
  const loadSeconds = (performance.now() - loadStart) / 1000;
  const weightBytes = model.backend.usage().bytes;
  const line = progressLine();
  try {
    const measurement = await measure(model, {
      prefill,
      decode,
      sequences,
      ...(position !== undefined && { position }),
      ...(cache && { cache }),
      signal,
      onProgress: (phase, done, of) => line.update(`${phase} ${done} of ${of}`),
    });
    const { name, description } = model.backend;
    return {
      backend: name,
      description,
      loadSeconds,
      residentBytes: residentBytes(),
      weightBytes,
      ...measurement,
    };
  } finally {
    line.end();
    await close();
  }
}

/** Linux tells anonymous memory from mapped files; elsewhere the two cannot be told apart. */
function residentBytes(): number | null {
  try {
    const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    return kilobytes === undefined ? null : Number(kilobytes) * 1024;
  } catch {
    return null; // not Linux
  }
}

function describe(report: Report): string[] {
  const first = report.firstPrefillTokensPerSecond;
  const { loadSeconds, prefillTokens, prefillTokensPerSecond, sequences, position, residentBytes } = report;
  const side = sequences === 1 ? "" : `, ${sequences} sequences together`;
  return [
    `backend  ${report.backend}: ${report.description}`,
    `load     ${loadSeconds.toFixed(2)} s`,
    `prefill  ${prefillTokensPerSecond.toFixed(1)} tokens/s (${prefillTokens} tokens; the first prompt ${first.toFixed(1)})`,
    `decode   ${report.decodeTokensPerSecond.toFixed(2)} tokens/s from position ${position}${side}`,
    `cache    ${formatBytes(report.cacheBytes)} in ${report.cache}`,
    ...(residentBytes === null ? [] : [`memory   ${formatBytes(residentBytes)} beyond the mapped files`]),
  ];
}
