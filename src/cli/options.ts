// Options that several commands share, and how their values are checked.

import { type Command, InvalidArgumentError, Option } from "commander";
import { type Effort, efforts } from "../agent/index.ts";
import type { KvStorage } from "../backend/index.ts";
import type { SamplingOptions } from "../engine/index.ts";
import type { RespondOptions } from "../library/index.ts";
import { type BackendName, backendNames } from "../library/node/index.ts";
import { isDebugging } from "./report.ts";

export interface ComputeOptions {
  readonly model?: string;
  readonly backend?: BackendName;
  readonly threads?: number;
  readonly dense?: "int8" | "bf16";
  readonly cache?: KvStorage;
}

export interface ModelOptions extends ComputeOptions {
  readonly context?: number;
}

export type SamplingFlags = Omit<SamplingOptions, "logitBias">;

export const modelOption = (): Option =>
  new Option(
    "-m, --model <name>",
    "20b, 120b, org/name[@revision], ollama:name, a folder or a .gguf file (default: embedded; `gpt-oss models` lists)",
  );

export const tokenizerOption = (): Option =>
  new Option(
    "-m, --model <name>",
    "take this model's tokenizer (default: that of gpt-oss). `generate` and `logits` default to the embedded model," +
      " whose ids are others: give both the same --model",
  );

export const tokenIdsHelp =
  "JSON array of ids: inline, or a file that holds one; default, and for `-`: stdin";

/** Ids mean nothing without the vocabulary that they were made with. */
export const modelTokenIdsHelp = `${tokenIdsHelp}. Of this model: \`tokenize\` and \`render\` need the same --model`;

/** For commands that compute. */
export function addComputeOptions(command: Command): Command {
  return command
    .addOption(modelOption())
    .addOption(
      new Option(
        "--backend <name>",
        "what computes (default: the exact one for small models, else the fastest that works here)",
      ).choices(backendNames),
    )
    .option("--threads <n>", "threads of the native backend (default: one per core)", count)
    .addOption(
      new Option(
        "--dense <form>",
        "how the native backend holds dense weights: int8, or bf16 as in the file, which decodes slower (default: int8)",
      ).choices(["int8", "bf16"]),
    )
    .addOption(
      new Option(
        "--cache <form>",
        "how keys and values are held: bf16, or int8, rounded, for about twice the context in the same memory (default: bf16)",
      ).choices(["bf16", "int8"]),
    );
}

/** For commands that generate. */
export function addModelOptions(command: Command): Command {
  return addComputeOptions(command).option(
    "--context <tokens>",
    "room for prompt and answer together (default: what the model can, as far as memory allows)",
    count,
  );
}

/** The engine's own limits (src/engine/request.ts), refused here as wrong usage before a model is loaded. */
function between(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = number(text);
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It must be from ${least} to ${most}.`);
  };
}

/** Neutral by default, like the model's authors advise: temperature 1, nothing cut off, no penalties. */
export function addSamplingOptions(command: Command): Command {
  return command
    .option(
      "--temperature <t>",
      "0 always takes the likeliest token (default: 1; the embedded model: 0)",
      between(0, 100),
    )
    .option("--top-p <p>", "keep the smallest set of tokens that reaches this probability", between(0, 1))
    .option("--top-k <k>", "keep the k likeliest tokens", count)
    .option("--min-p <p>", "keep tokens at least this likely relative to the likeliest", between(0, 1))
    .option(
      "--repetition-penalty <x>",
      "above 1: tokens that were seen become less likely",
      between(0.01, 100),
    )
    .option(
      "--frequency-penalty <x>",
      "lower a token's logit by this for every time it was sampled",
      between(-2, 2),
    )
    .option("--presence-penalty <x>", "lower a token's logit by this once it was sampled", between(-2, 2))
    .option("--seed <n>", "same seed, same answer", wholeNumber);
}

export function samplingOf(flags: SamplingFlags): SamplingOptions {
  const { temperature, topP, topK, minP, repetitionPenalty, frequencyPenalty, presencePenalty, seed } = flags;
  const sampling = {
    temperature,
    topP,
    topK,
    minP,
    repetitionPenalty,
    frequencyPenalty,
    presencePenalty,
    seed,
  };
  return given(sampling);
}

/** What `chat` and `generate` pass on to the model. */
export interface RespondFlags extends SamplingFlags {
  readonly effort?: Effort;
  readonly instructions?: string;
  readonly maxTokens?: number;
}

export function respondOptionsOf(flags: RespondFlags): RespondOptions {
  const { effort, instructions, maxTokens } = flags;
  return { ...samplingOf(flags), ...given({ effort, instructions, maxTokens }) };
}

/** Without what was not given on the command line, so that defaults apply. */
function given<T extends object>(flags: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as typeof flags;
}

export const maxTokensOption = (): Option =>
  new Option("--max-tokens <n>", "stop after this many new tokens, reasoning included").argParser(count);

export const effortOption = (): Option =>
  new Option("-e, --effort <level>", "how much to think before answering (default: medium)").choices(efforts);

export const jsonOption = (what: string): Option => new Option("--json", `print ${what} as JSON`);

/** Read from the arguments themselves, because errors must know it before the arguments are parsed. */
export const debugOption = (): Option =>
  new Option("--debug", "show stack traces of errors (also: GPT_OSS_DEBUG=1)").default(isDebugging(), "off");

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

export function wholeNumber(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  }
  return value;
}

export function count(text: string): number {
  const value = number(text);
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("It must be a whole number, 1 or more.");
  }
  return value;
}
