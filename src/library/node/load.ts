// `load()`: a name becomes a model that answers.

import process from "node:process";
import type { Backend } from "../../backend/index.ts";
import { GptOssError } from "../../base/index.ts";
import { checkpointBytes, type Layout, type ModelConfig } from "../../checkpoint/index.ts";
import { createEngine, type EnginePlan, type LocalEngine } from "../../engine/index.ts";
import { cachePlan, type Model } from "../../model/index.ts";
import { createGptOss, type GptOss, type RespondDefaults } from "../gpt-oss.ts";
import { embeddedContextTokens, embeddedDefaults, isEmbedded } from "./embedded.ts";
import { type LoadedWeights, type LoadWeightsOptions, loadWeights } from "./load-weights.ts";
import { modelPath } from "./models.ts";
import { tokenizerOf } from "./tokenizer.ts";

export interface LoadOptions extends LoadWeightsOptions {
  /**
   * A folder, a `.gguf` file, or the name of a model that was pulled: `20b`, `openai/gpt-oss-20b`, with a revision
   * `openai/gpt-oss-20b@main`, `ollama:gpt-oss:20b`. Default: `embedded`, the small model in this package.
   */
  readonly model?: string;
  /** Room for prompt and answer together, in tokens. Default: all that the model can, as far as memory allows. */
  readonly contextTokens?: number;
}

/** What was loaded, and onto what. */
export interface ModelInfo {
  readonly path: string;
  readonly layout: Layout;
  readonly config: ModelConfig;
  readonly isEmbedded: boolean;
  /** What it answers with when the caller does not say; empty but for the embedded model. */
  readonly defaults: RespondDefaults;
  readonly backend: BackendInfo;
  /** What the engine takes: its context, and the bytes of its cache. */
  readonly plan: EnginePlan;
}

export interface BackendInfo {
  readonly name: string;
  /** Which kernels run. */
  readonly description: string;
  /** Why this backend. */
  readonly why: string;
}

/** A model with its engine, before text comes into play. */
export interface LoadedEngine {
  readonly engine: LocalEngine;
  readonly weights: LoadedWeights;
  readonly info: ModelInfo;
  close(): Promise<void>;
}

/** A model that was loaded from files. */
export interface LoadedGptOss extends GptOss {
  readonly info: ModelInfo;
}

/**
 * Loads a model: weights onto the fastest backend that works here, with the checkpoint's own tokenizer, or the built-in
 * one for the published models.
 *
 * Errors: `checkpoint/…` for names and files, `backend/out-of-memory`, `library/no-tokenizer`, `library/bad-option`. Aborting
 * rejects with the signal's reason.
 *
 * @example
 * const model = await load({ model: "20b" });
 * const answer = await model.respond("What is 47 + 85?", { effort: "high" });
 * console.log(answer.text);
 * await model.close();
 */
export async function load(options: LoadOptions = {}): Promise<LoadedGptOss> {
  const { engine, weights, info, close } = await loadEngine(options);
  try {
    const model = createGptOss({
      engine,
      tokenizer: tokenizerOf(weights.checkpoint),
      stopTokens: info.config.stopTokens,
      close,
      defaults: info.defaults,
    });
    return { ...model, info };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The same without a tokenizer: token ids in, token ids out. */
export async function loadEngine(options: LoadOptions = {}): Promise<LoadedEngine> {
  const path = await modelPath(options.model);
  const weights = await loadWeights(path, options);
  const { model, checkpoint, why } = weights;
  try {
    const cacheTokens = contextTokensOf(model, options.contextTokens, isEmbedded(path));
    const engine = createEngine(model, { cacheTokens });
    const { name, description } = model.backend;
    const info: ModelInfo = {
      path: checkpoint.path,
      layout: checkpoint.layout,
      config: checkpoint.config,
      isEmbedded: isEmbedded(path),
      defaults: isEmbedded(path) ? embeddedDefaults : {},
      backend: { name, description, why },
      plan: engine.plan,
    };
    const close = async (): Promise<void> => {
      await engine.close();
      await weights.close();
    };
    return { engine, weights, info, close };
  } catch (error) {
    await weights.close();
    throw error;
  }
}

/** Of the memory that is free after loading, what a cache may take unasked. */
const cacheShare = 0.5;
const smallestDefaultContext = 4096;

function contextTokensOf({ config, backend }: Model, asked: number | undefined, isSmall: boolean): number {
  const { contextLength } = config;
  if (asked !== undefined) {
    if (Number.isSafeInteger(asked) && asked > 0 && asked <= contextLength) return asked;
    throw new GptOssError("library/bad-option", {
      message: `contextTokens is ${asked}, and this model's context is ${contextLength}`,
      hint: `give a whole number from 1 to ${contextLength}`,
    });
  }
  if (isSmall) return Math.min(embeddedContextTokens, contextLength);
  // Mapped weights count as available memory, until they are used.
  const mappedBytes = Math.max(0, checkpointBytes(config) - backend.usage().bytes);
  const allowed = (process.availableMemory() - mappedBytes) * cacheShare;
  let tokens = contextLength;
  while (tokens > smallestDefaultContext && contextBytes(config, backend, tokens) > allowed) {
    tokens = Math.floor(tokens / 2);
  }
  return tokens;
}

/** Bytes of the cache that an engine takes for this context, with what it adds for sequences side by side. */
export function contextBytes(config: ModelConfig, backend: Backend, contextTokens: number): number {
  // The engine's own defaults: 8 sequences, 8 kept prefixes, 512 tokens a step.
  return backend.cacheBytes(cachePlan(config, { contextTokens, sequences: 16, chunkTokens: 512 }));
}
