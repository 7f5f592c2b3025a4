// An engine that samples what a test tells it to: for tests of what stands above the engine. It keeps the promises of
// the seam (lazy start, stop tokens, limits, aborts, leaving early), so that a test cannot pass on what no engine does.

import type { Engine, FinishReason, GenerateEvent, GenerateRequest } from "../engine.ts";
import { idleStatus } from "../status.ts";

/** The tokens of one request: a list, or made from the request; an asynchronous one decides when each comes. */
export type Script =
  | readonly number[]
  | ((request: GenerateRequest) => Iterable<number> | AsyncIterable<number>);

export interface ScriptedEngine extends Engine {
  /** What was asked, in order. */
  readonly requests: readonly GenerateRequest[];
  /** Requests that have begun and not ended. */
  readonly running: number;
  readonly isClosed: boolean;
}

export interface ScriptedEngineOptions {
  readonly contextLength?: number;
  readonly vocabularySize?: number;
}

/**
 * The n-th request gets the n-th script; one more than there are is an error. A script that runs out before a stop
 * token ends with reason `length`, as if the context were full. What a script throws, the request throws.
 */
export function scriptedEngine(
  scripts: readonly Script[],
  options: ScriptedEngineOptions = {},
): ScriptedEngine {
  const { contextLength = 131_072, vocabularySize = 201_088 } = options;
  const requests: GenerateRequest[] = [];
  let running = 0;
  let isClosed = false;

  async function* generate(request: GenerateRequest): AsyncGenerator<GenerateEvent, undefined> {
    const script = scripts[requests.length];
    requests.push(request);
    if (script === undefined)
      throw new Error(`request ${requests.length} of ${scripts.length} that were scripted`);
    const { signal, stopTokens, topLogprobs, tokens } = request;
    const maxTokens = Math.min(request.maxTokens ?? contextLength, contextLength - tokens.length);
    let outputTokens = 0;
    const end = (reason: FinishReason): GenerateEvent => ({
      type: "end",
      reason,
      usage: { promptTokens: tokens.length, cachedTokens: 0, outputTokens },
    });
    running++;
    try {
      for await (const token of typeof script === "function" ? script(request) : script) {
        if (signal?.aborted) return void (yield end("aborted"));
        outputTokens++;
        yield { type: "token", token, ...(topLogprobs === undefined ? {} : certainty(token, topLogprobs)) };
        if (stopTokens.includes(token)) return void (yield end("stop"));
        if (outputTokens >= maxTokens) return void (yield end("length"));
      }
      yield end(signal?.aborted ? "aborted" : "length");
    } finally {
      running--;
    }
  }

  return {
    contextLength,
    vocabularySize,
    requests,
    get running() {
      return running;
    },
    get isClosed() {
      return isClosed;
    },
    generate,
    status: () => ({ ...idleStatus, running }),
    async close() {
      isClosed = true;
    },
  };
}

/** The only token that could come. */
function certainty(token: number, topLogprobs: number) {
  return { logprob: 0, top: topLogprobs > 0 ? [{ token, logprob: 0 }] : [] };
}
