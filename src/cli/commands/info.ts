// `gpt-oss info`: what a checkpoint is, what it needs, and what would compute it. Reads headers only.

import { Command } from "commander";
import {
  bytesReadPerToken,
  checkpointBytes,
  type Layout,
  type ModelConfig,
  type Part,
  parameterCounts,
} from "../../checkpoint/index.ts";
import { readShape } from "../../checkpoint/node/index.ts";
import { contextBytes, onFirstBackend, openModel } from "../../library/node/index.ts";
import { machineMemory } from "../machine-memory.ts";
import { weightOptions } from "../model.ts";
import { addModelOptions, jsonOption, type ModelOptions } from "../options.ts";
import { formatBytes, printJson, printLine } from "../terminal.ts";

interface Options extends ModelOptions {
  readonly shape?: string;
  readonly json?: true;
}

export const infoCommand = (): Command =>
  addModelOptions(
    new Command("info")
      .summary("a model's shape, parameters and memory, and what would run it")
      .description(
        "Shows the shape of a checkpoint, its parameters, the memory that contexts need (--context for one of your " +
          "choice), and which backend would compute it here.",
      )
      .option("--shape <shape>", "instead of a checkpoint: 20b, 120b, or a config.json")
      .addOption(jsonOption("all of it")),
  ).action(async (options: Options) => {
    const info = await inspect(await subjectOf(options), options);
    if (options.json) printJson(info);
    else for (const line of describe(info)) printLine(line);
  });

interface Subject {
  /** Null for a shape, which lies nowhere. */
  readonly path: string | null;
  readonly layout: Layout | null;
  readonly config: ModelConfig;
}

async function subjectOf({ model, shape }: Options): Promise<Subject> {
  if (shape !== undefined) return { path: null, layout: null, config: (await readShape(shape)).config };
  const { path, layout, config, close } = await openModel(model);
  await close();
  return { path, layout, config };
}

type Info = Awaited<ReturnType<typeof inspect>>;

const usualContexts = [4096, 16_384, 65_536, 131_072];

/** Of computers and accelerators. */
const usualMemories = [4, 8, 16, 24, 32, 48, 64, 80, 96, 128, 192].map((gigabytes) => gigabytes * 1e9);

/** The longest context whose cache fits beside the weights; 0 when not even they fit. */
function largestContext(bytesOfContext: (tokens: number) => number, room: number, most: number): number {
  let [fits, tooMany] = [0, most + 1];
  while (tooMany - fits > 1) {
    const tokens = Math.floor((fits + tooMany) / 2);
    if (bytesOfContext(tokens) <= room) fits = tokens;
    else tooMany = tokens;
  }
  return fits;
}

async function inspect({ path, layout, config }: Subject, options: Options) {
  const contexts =
    options.context === undefined
      ? usualContexts.filter((tokens) => tokens <= config.contextLength)
      : [options.context];
  const { cache } = options;
  const engine = cache === undefined ? {} : { cacheStorage: cache };
  const { made, why } = await onFirstBackend(config, weightOptions(options), async (backend) => {
    const { name, description } = backend;
    const memory = contexts.map((tokens) => ({
      contextTokens: tokens,
      cacheBytes: contextBytes({ config, backend }, tokens, engine),
    }));
    const fits = [...usualMemories, machineMemory()].map((memoryBytes) => ({
      memoryBytes,
      largestContext: largestContext(
        (tokens) => contextBytes({ config, backend }, tokens, engine),
        memoryBytes - checkpointBytes(config),
        config.contextLength,
      ),
    }));
    await backend.close();
    return { name, description, memory, fits };
  });
  const { memory, fits, ...backend } = made;
  return {
    path,
    layout,
    config,
    parameters: parameterCounts(config),
    weightBytes: checkpointBytes(config),
    bytesPerToken: { bf16: bytesReadPerToken(config, "bf16"), q8: bytesReadPerToken(config, "q8") },
    memory,
    fits: fits.slice(0, -1),
    machine: fits[fits.length - 1],
    backend: { ...backend, why },
  };
}

function describe(info: Info): string[] {
  const { config, parameters, backend } = info;
  const sliding = config.slides.filter(Boolean).length;
  const field = (name: string, ...lines: readonly string[]): string[] =>
    lines.map((line, index) => `${(index === 0 ? name : "").padEnd(12)}${line}`);
  return [
    ...(info.path === null ? [] : field("model", info.path, `${info.layout} layout`)),
    ...field(
      "shape",
      `${config.layers} layers, ${sliding} of them see only the last ${config.slidingWindow} positions`,
      `hidden size ${config.hiddenSize}; ${config.heads} query and ${config.kvHeads} key-value heads of ${config.headDim}`,
      `${config.experts} experts of width ${config.intermediateSize}, ${config.expertsPerToken} for each token`,
      `vocabulary ${formatCount(config.vocabularySize)}, context ${formatCount(config.contextLength)}`,
    ),
    ...field(
      "parameters",
      `${formatMillions(parameters.total)}, of which one token uses ${formatMillions(parameters.activePerToken)}`,
      (Object.entries(parameters.parts) as [Part, number][])
        .map(([part, count]) => `${part} ${formatMillions(count)}`)
        .join(", "),
      `${formatBytes(info.weightBytes)} of weights; each token reads ${formatBytes(info.bytesPerToken.bf16)} of them, ${formatBytes(info.bytesPerToken.q8)} where dense ones have 8 bits`,
    ),
    ...field(
      "memory",
      ...info.memory.map(({ contextTokens, cacheBytes }) => {
        const total = formatBytes(info.weightBytes + cacheBytes);
        return `${formatCount(contextTokens).padStart(7)} tokens of context: cache ${formatBytes(cacheBytes)}, with the weights ${total}`;
      }),
      describeFits(info.fits, config.contextLength),
      describeMachine(info.machine),
    ),
    ...field("backend", `${backend.name}: ${backend.description}`, `because ${backend.why}`),
  ];
}

/** From the smallest memory that holds the weights to the first that holds the longest context, too. */
function describeFits(fits: Info["fits"], contextLength: number): string {
  const useful = fits.filter(({ largestContext }) => largestContext > 0);
  const enough = useful.findIndex(({ largestContext }) => largestContext === contextLength);
  const shown = enough === -1 ? useful : useful.slice(0, enough + 1);
  if (shown.length === 0) return `more than ${formatBytes(fits[fits.length - 1].memoryBytes)} are needed`;
  const parts = shown.map(({ memoryBytes, largestContext }) => {
    const context = largestContext === contextLength ? "all" : `${formatCount(largestContext)} tokens`;
    return `${memoryBytes / 1e9} GB ${context}`;
  });
  return `context that fits beside the weights: ${parts.join(", ")}`;
}

function describeMachine({ memoryBytes, largestContext }: Info["machine"]): string {
  const has = `this machine has ${formatBytes(memoryBytes)}`;
  if (largestContext === 0)
    return `${has}: less than the weights, which are then read from the disk again and again`;
  return `${has}: room for ${formatCount(largestContext)} tokens of context, if nothing else needs it`;
}

const formatCount = (count: number): string => count.toLocaleString("en");

function formatMillions(count: number): string {
  return count >= 1e9 ? `${(count / 1e9).toPrecision(3)} B` : `${(count / 1e6).toPrecision(3)} M`;
}
