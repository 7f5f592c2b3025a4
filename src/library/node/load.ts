// `load()`: a name becomes a model that answers.

import { GptOssError } from "../../base/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { createGptOss, type GptOss } from "../gpt-oss.ts";
import { type EngineLoadOptions, loadEngine, type ModelInfo } from "./load-engine.ts";
import { loadInThread } from "./load-in-thread.ts";
import { openModel } from "./models.ts";
import { tokenizerOf } from "./tokenizer.ts";

export interface LoadOptions extends EngineLoadOptions {
  /**
   * Where the engine computes. Default: `worker`, a thread of its own, so that this one stays awake. `same` starts a
   * little sooner: for one answer and an end.
   */
  readonly thread?: "worker" | "same";
}

/** A model that was loaded from files. */
export interface LoadedGptOss extends GptOss {
  readonly info: ModelInfo;
}

/**
 * Loads a model: weights onto the fastest backend that works here, with the checkpoint's own tokenizer, or the built-in
 * one for the published models.
 *
 * Errors: `checkpoint/…` for names and files, `backend/out-of-memory`, `library/no-tokenizer`, `library/bad-option`,
 * `engine/crashed` should the engine's thread die. Aborting rejects with the signal's reason.
 *
 * @example
 * const model = await load({ model: "20b" });
 * const answer = await model.respond("What is 47 + 85?", { effort: "high" });
 * console.log(answer.text);
 * await model.close();
 */
export async function load(options: LoadOptions = {}): Promise<LoadedGptOss> {
  const { thread = "worker", ...engineOptions } = options;
  if (thread !== "worker" && thread !== "same") {
    throw new GptOssError("library/bad-option", {
      message: `thread is ${JSON.stringify(thread)}`,
      hint: "give worker or same",
    });
  }
  const loading = thread === "worker" ? loadInThread(engineOptions) : loadEngine(engineOptions);
  // While the weights are read; the checkpoint is opened once more for it, headers only.
  const [loaded, tokenizer] = await Promise.allSettled([loading, tokenizerOfModel(options.model)]);
  if (loaded.status === "rejected") throw loaded.reason;
  const { engine, info, close } = loaded.value;
  if (tokenizer.status === "rejected") {
    await close();
    throw tokenizer.reason;
  }
  const { defaults, config } = info;
  const model = createGptOss({
    engine,
    tokenizer: tokenizer.value,
    stopTokens: config.stopTokens,
    close,
    defaults,
  });
  return { ...model, info };
}

async function tokenizerOfModel(name: string | undefined): Promise<Tokenizer> {
  const checkpoint = await openModel(name);
  try {
    return tokenizerOf(checkpoint);
  } finally {
    await checkpoint.close();
  }
}
