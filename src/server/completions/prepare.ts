// From a request's body to what the engine is asked, once for each prompt and choice.

import type { GenerateRequest } from "../../engine/index.ts";
import { stopTokens } from "../../harmony/index.ts";
import type { ServedModel, ServerContext } from "../context.ts";
import { invalidValue, unsupported } from "../errors.ts";
import { samplingOf, stopOf } from "../sampling.ts";
import type { ContinueOptions } from "./continue.ts";
import type { CompletionBody } from "./request.ts";

export interface PreparedCompletion {
  readonly model: ServedModel;
  /** In the order of their indexes: all choices of the first prompt, then those of the next. */
  readonly runs: readonly (() => ContinueOptions)[];
  /** Of each prompt, as far as it is text. */
  readonly letters: number;
  readonly choicesOfPrompt: number;
  readonly withLogprobs: boolean;
}

const defaultMaxTokens = 16; // OpenAI's

export function prepareCompletion(context: ServerContext, body: CompletionBody): PreparedCompletion {
  refuseUnsupported(body);
  const model = context.model(body.model);
  const prompts = promptsOf(body.prompt);
  const choices = body.n ?? 1;
  if (prompts.length * choices > context.limits.choices) {
    const message = `${prompts.length} prompts with ${choices} choices are more than this server's ${context.limits.choices}.`;
    throw invalidValue(choices > 1 ? "n" : "prompt", message);
  }
  const stop = stopOf(body);
  const shared = {
    maxTokens: body.max_tokens ?? defaultMaxTokens,
    stopTokens: stopTokens(model.tokenizer, model.stopTokens),
    ...(body.logprobs != null && { topLogprobs: body.logprobs }),
  };
  const runOf = (prompt: string | readonly number[], choice: number) => (): ContinueOptions => {
    const tokens = typeof prompt === "string" ? model.tokenizer.encode(prompt) : prompt;
    const request: GenerateRequest = {
      ...shared,
      tokens: tokensOrStart(tokens, model),
      sampling: samplingOf(body, model, choice),
    };
    return { request, stop, skipsSpecialTokens: body.skip_special_tokens !== false };
  };
  return {
    model,
    runs: prompts.flatMap((prompt) => Array.from({ length: choices }, (_, choice) => runOf(prompt, choice))),
    letters: Math.max(...prompts.map((prompt) => (typeof prompt === "string" ? prompt.length : 0))),
    choicesOfPrompt: choices,
    withLogprobs: body.logprobs != null,
  };
}

/** An empty text is the beginning of any text. */
const tokensOrStart = (tokens: readonly number[], { tokenizer }: ServedModel): readonly number[] =>
  tokens.length > 0 ? tokens : [tokenizer.special.startoftext];

function refuseUnsupported({ suffix, echo, best_of: bestOf, n }: CompletionBody): void {
  const refuse = (param: string, message: string): never => {
    throw unsupported(param, message);
  };
  if (suffix != null && suffix !== "") refuse("suffix", "This model cannot fill in text before a suffix.");
  if (echo === true) refuse("echo", "The prompt is not repeated: put it before the text yourself.");
  if (bestOf != null && bestOf !== (n ?? 1)) refuse("best_of", "Ask for 'n' choices, and choose.");
}

function promptsOf(prompt: CompletionBody["prompt"]): readonly (string | readonly number[])[] {
  if (typeof prompt === "string") return [prompt];
  return typeof prompt[0] === "number" ? [prompt as number[]] : (prompt as (string | number[])[]);
}
