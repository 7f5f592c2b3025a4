// From `--model` to a tokenizer or a loaded model, with progress and, for the embedded model, a word on what to expect.

import { basename } from "node:path";
import { GptOssError } from "../base/index.ts";
import { type Checkpoint, parseModelName } from "../checkpoint/index.ts";
import {
  embeddedAnnouncement,
  type LoadedEngine,
  type LoadedGptOss,
  type LoadedWeights,
  type LoadOptions,
  type LoadWeightsOptions,
  load,
  loadEngine,
  loadWeights,
  type ModelInfo,
  openModel,
  tokenizerOf,
} from "../library/node/index.ts";
import type { LoadProgress } from "../model/index.ts";
import { o200kHarmony, type Tokenizer } from "../tokenizer/index.ts";
import type { ComputeOptions, ModelOptions } from "./options.ts";
import { formatBytes, printNote, progressLine } from "./terminal.ts";

/** For commands that run no model: gpt-oss's own tokenizer, unless a checkpoint is given. */
export async function cliTokenizer(model: string | undefined): Promise<Tokenizer> {
  if (model === undefined) return o200kHarmony();
  const checkpoint = await openModel(model);
  try {
    return tokenizerOf(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

/** For commands that compute but do not generate. */
export const loadCliWeights = (options: ComputeOptions, signal: AbortSignal): Promise<LoadedWeights> =>
  withProgress((progress) => loadWeights(options.model, { ...weightOptions(options), ...progress, signal }));

/** For conversations. Commands that answer once and end start sooner with `thread: "same"`. */
export const loadCli = (
  options: ModelOptions,
  signal: AbortSignal,
  more: Pick<LoadOptions, "thread" | "engine"> = {},
): Promise<LoadedGptOss> =>
  withProgress((progress) => load({ ...modelOptions(options), ...progress, ...more, signal }));

/** What runs, before the first answer: surprises about context and memory are worse later. `name` as it was asked for. */
export function announce(info: ModelInfo, name: string | undefined): void {
  printNote(`${info.isEmbedded ? embeddedAnnouncement : describeRun(info, name)}\n`);
}

function describeRun(info: ModelInfo, name = info.path): string {
  const { plan, config, backend, path } = info;
  const context = plan.contextLength.toLocaleString("en");
  const full = config.contextLength.toLocaleString("en");
  const room =
    plan.contextLength < config.contextLength ? `${context} of ${full} tokens` : `${context} tokens`;
  const shown = parseModelName(name)?.kind === "path" ? basename(path) : name;
  return `${shown}, ${backend.name} backend, context ${room} (cache: ${formatBytes(plan.cacheBytes)})`;
}

export interface CliEngine extends LoadedEngine {
  /** Undefined where the checkpoint has none and none is built in: then there are ids, and no text. */
  readonly tokenizer: Tokenizer | undefined;
}

/** For tokens that are continued as they are. */
export async function loadCliEngine(options: ModelOptions, signal: AbortSignal): Promise<CliEngine> {
  const loaded = await withProgress((progress) =>
    loadEngine({ ...modelOptions(options), ...progress, signal }),
  );
  return { ...loaded, tokenizer: tokenizerIfAny(loaded.weights.checkpoint) };
}

function tokenizerIfAny(checkpoint: Checkpoint): Tokenizer | undefined {
  try {
    return tokenizerOf(checkpoint);
  } catch (error) {
    if (GptOssError.isInstance(error) && error.code === "library/no-tokenizer") return undefined;
    throw error;
  }
}

function modelOptions(options: ModelOptions): LoadOptions {
  const { context, model, cache } = options;
  return {
    ...weightOptions(options),
    ...(model !== undefined && { model }),
    ...(context !== undefined && { contextTokens: context }),
    ...(cache !== undefined && { cache }),
  };
}

export function weightOptions({ backend, threads, dense }: ComputeOptions): LoadWeightsOptions {
  return {
    ...(backend !== undefined && { backend }),
    ...(threads !== undefined && { threads }),
    ...(dense !== undefined && { dense }),
    onWarning: printNote,
  };
}

async function withProgress<T>(work: (options: Pick<LoadOptions, "onProgress">) => Promise<T>): Promise<T> {
  const line = progressLine();
  const onProgress = ({ loadedBytes, totalBytes }: LoadProgress): void =>
    line.update(`loading ${formatBytes(loadedBytes)} of ${formatBytes(totalBytes)}`);
  try {
    return await work({ onProgress });
  } finally {
    line.end();
  }
}
