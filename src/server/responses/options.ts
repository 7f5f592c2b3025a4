// What an operator can choose of the Responses API, and what all of its handlers share.

import type { ServerContext } from "../context.ts";
import type { MediaPolicy } from "../prompt/index.ts";
import type { LiveResponses } from "./live.ts";
import type { Seal } from "./seal.ts";

/**
 * How the chain of thought is streamed. `reasoning_text`: as OpenAI's clients know it. `reasoning`: as Open Responses
 * writes it, which makes OpenAI's own client throw; a request with the header `OpenResponses-Version` gets it anyway.
 * `none`: thoughts come whole, when they are over.
 */
export type ReasoningEvents = "reasoning_text" | "reasoning" | "none";

/**
 * When the chain of thought is sent a second time, as the item's `summary`, which is all that some clients show:
 * `asked`, where a request has `reasoning.summary`; `always`, also where it has not; or `none`.
 */
export type ReasoningSummary = "asked" | "always" | "none";

export interface ResponsesOptions {
  /** Default: reasoning_text. */
  readonly reasoningEvents?: ReasoningEvents;
  /** Default: asked. */
  readonly reasoningSummary?: ReasoningSummary;
  /** Seals thoughts and compactions that clients keep. Default: a public one, so that they outlive a restart. */
  readonly secret?: string;
  /** Tools other than functions, which this server cannot run: left out with a line in the log, or 400. Default: ignore. */
  readonly unsupportedTools?: "ignore" | "refuse";
  /** Images and files in messages: the model reads that there was one, or 400. Default: placeholder. */
  readonly media?: MediaPolicy;
}

export interface ResponsesApiParts {
  readonly context: ServerContext;
  readonly options: Required<Omit<ResponsesOptions, "secret">>;
  readonly seal: Seal;
  readonly live: LiveResponses;
}
