// Tokens continued as they are, without a conversation: the events of a run whose one message is what was sampled.

import { type AgentEvent, createStopFilter, type SampledLogprob } from "../../agent/index.ts";
import type { GenerateEvent, GenerateRequest } from "../../engine/index.ts";
import type { TokenId } from "../../tokenizer/index.ts";
import type { ServedModel } from "../context.ts";

export interface ContinueOptions {
  /** Without a signal. */
  readonly request: GenerateRequest;
  readonly stop: readonly string[];
  readonly skipsSpecialTokens: boolean;
}

export async function* continueTokens(
  { engine, tokenizer }: ServedModel,
  { request, stop, skipsSpecialTokens }: ContinueOptions,
  signal: AbortSignal,
): AsyncGenerator<AgentEvent, void> {
  const filter = createStopFilter(stop);
  const decoder = tokenizer.streamDecoder();
  const enough = new AbortController();
  const stopTokens = new Set(request.stopTokens);
  const tokens: number[] = [];
  let text = "";
  const say = (more: string, logprobs: readonly SampledLogprob[]): AgentEvent[] => {
    text += more;
    if (more === "" && logprobs.length === 0) return [];
    return filter.add([{ type: "text-delta", text: more, ...(logprobs.length > 0 && { logprobs }) }]);
  };

  yield { type: "turn-start", turn: 0, promptTokens: request.tokens.length };
  yield* filter.add([{ type: "text-start" }]);
  for await (const event of engine.generate({
    ...request,
    signal: AbortSignal.any([signal, enough.signal]),
  })) {
    if (event.type === "token") {
      const token = event.token as TokenId;
      tokens.push(token);
      const isHidden = stopTokens.has(token) || (skipsSpecialTokens && tokenizer.isSpecial(token));
      if (!filter.isMatched && !isHidden) yield* say(decoder.push(token), logprobsOf(event));
      if (filter.isMatched) enough.abort();
      continue;
    }
    yield* say(decoder.flush(), []);
    const finishReason = filter.isMatched ? "stop" : event.reason;
    const message = { role: "assistant", content: text } as const;
    yield* filter.add([{ type: "text-end", message, isComplete: finishReason === "stop" }]);
    const usage = { ...event.usage, reasoningTokens: 0 };
    yield { type: "turn-end", finishReason, usage, tokens };
    yield { type: "run-end", finishReason, usage, pendingCalls: [] };
  }
}

function logprobsOf(event: Extract<GenerateEvent, { type: "token" }>): SampledLogprob[] {
  if (event.logprob === undefined) return [];
  return [{ token: event.token, logprob: event.logprob, top: event.top ?? [] }];
}
