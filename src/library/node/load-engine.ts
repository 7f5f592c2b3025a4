// From a model's name to an engine: which weights, onto which backend, with how large a cache. Runs in whichever thread
// the engine shall be in; see load-in-thread.ts.

import process from "node:process";
import type { KvStorage } from "../../backend/index.ts";
import { GptOssError } from "../../base/index.ts";
import { checkpointBytes, type Layout, type ModelConfig } from "../../checkpoint/index.ts";
import {
  createEngine,
  type EngineOptions,
  type EnginePlan,
  type LocalEngine,
  planEngine,
} from "../../engine/index.ts";
import type { Model } from "../../model/index.ts";
import type { RespondDefaults } from "../gpt-oss.ts";
import { embeddedContextTokens, embeddedDefaults, isEmbedded } from "./embedded.ts";
import { type LoadedWeights, type LoadWeightsOptions, loadWeights } from "./load-weights.ts";
import { modelPath } from "./models.ts";
import { tokenBytesOf } from "./tokenizer.ts";

export interface EngineLoadOptions extends LoadWeightsOptions {
  /**
   * A folder, a `.gguf` file, or the name of a model that was pulled: `20b`, `openai/gpt-oss-20b`, with a revision
   * `openai/gpt-oss-20b@main`, `ollama:gpt-oss:20b`. Default: `embedded`, the small model in this package.
   */
  readonly model?: string;
  /** Room for prompt and answer together, in tokens. Default: all that the model can, as far as memory allows. */
  readonly contextTokens?: number;
  /**
   * How the key-value cache is held: `bf16`, the default, or `int8`, which holds about twice the tokens in the same
   * memory and rounds what attention looks back at (docs/performance.md says how much that changes).
   */
  readonly cache?: KvStorage;
  /** How many at once, and with how much memory: what a server sets. `cacheTokens` defaults to `contextTokens`. */
  readonly engine?: Omit<EngineOptions, "tokenBytes">;
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

/** A model with its engine in this thread, before text comes into play. */
export interface LoadedEngine {
  readonly engine: LocalEngine;
  readonly weights: LoadedWeights;
  readonly info: ModelInfo;
  close(): Promise<void>;
}

/** A model without a tokenizer: token ids in, token ids out. Errors: see `load`. */
export async function loadEngine(options: EngineLoadOptions = {}): Promise<LoadedEngine> {
  const path = await modelPath(options.model);
  const weights = await loadWeights(path, options);
  const { model, checkpoint, why } = weights;
  try {
    const engineOptions = { ...(options.cache && { cacheStorage: options.cache }), ...options.engine };
    const cacheTokens = contextTokensOf(model, { ...options, engine: engineOptions }, isEmbedded(path));
    const tokenBytes = tokenBytesOf(checkpoint);
    const engine = createEngine(model, { cacheTokens, ...engineOptions, tokenBytes });
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

function contextTokensOf(
  { config, backend }: Model,
  { contextTokens: asked, engine }: EngineLoadOptions,
  isSmall: boolean,
): number {
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
  while (tokens > smallestDefaultContext && contextBytes({ config, backend }, tokens, engine) > allowed) {
    tokens = Math.floor(tokens / 2);
  }
  return tokens;
}

/** Bytes of the cache that an engine takes for this context, with what it adds for sequences side by side. */
export function contextBytes(
  model: Pick<Model, "config" | "backend">,
  contextTokens: number,
  options: EngineOptions = {},
): number {
  return planEngine(model, { ...options, cacheTokens: contextTokens }).plan.cacheBytes;
}
