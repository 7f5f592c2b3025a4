// One turn: tokens from the engine, through the parser, out as events. Knows nothing of running tools or of how many
// turns there are.

import { assert } from "../base/index.ts";
import type { Engine, FinishReason, GenerateEvent, GenerateRequest } from "../engine/index.ts";
import { createParser, type HarmonyEvent } from "../harmony/index.ts";
import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import type { AgentEvent, SampledLogprob, Usage } from "./events.ts";
import { createStopFilter } from "./stop.ts";
import { createTranslator, type KeptMessage } from "./translate.ts";

export interface TurnOptions {
  readonly engine: Engine;
  readonly tokenizer: Tokenizer;
  /** What the engine is asked, `prefill` at the end of its tokens included. */
  readonly request: GenerateRequest;
  /** What follows `<|start|>assistant` and is not left to the model; often nothing. */
  readonly prefill: readonly TokenId[];
  /** What the conversation offers to call. */
  readonly recipients: readonly string[];
  /** Texts that end the answer. */
  readonly stop: readonly string[];
}

export interface Turn {
  readonly finishReason: FinishReason;
  readonly usage: Usage;
  readonly tokens: readonly TokenId[];
  /** Complete messages, in order. */
  readonly kept: readonly KeptMessage[];
  /** A stop string was found; the message that it ended is not among those kept. */
  readonly isStopped: boolean;
}

export async function* sampleTurn(options: TurnOptions): AsyncGenerator<AgentEvent, Turn> {
  const { tokenizer, recipients, request } = options;
  const parser = createParser(tokenizer, { recipients });
  const translator = createTranslator(new Set(recipients));
  const filter = createStopFilter(options.stop);
  const isOver = (): boolean => translator.isOver || filter.isMatched;
  // Ends the sampling early while the engine still counts what was used.
  const enough = new AbortController();
  const signal = request.signal ? AbortSignal.any([request.signal, enough.signal]) : enough.signal;
  const tokens: TokenId[] = [];
  let reasoningTokens = 0;
  const count = (events: readonly HarmonyEvent[]): readonly HarmonyEvent[] => {
    for (const event of events) {
      if (event.type !== "message-end" || event.parsed.message.channel !== "analysis") continue;
      reasoningTokens += event.parsed.tokens.length;
    }
    return events;
  };

  for (const token of options.prefill) {
    // Text of the prefill is the caller's own, and not said again.
    yield* translator.add(parser.push(token), undefined).filter(({ type }) => type !== "text-delta");
  }
  for await (const event of options.engine.generate({ ...request, signal })) {
    if (event.type === "token") {
      const token = event.token as TokenId;
      tokens.push(token);
      if (!isOver()) yield* filter.add(translator.add(count(parser.push(token)), logprobOf(event)));
      if (isOver()) enough.abort();
      continue;
    }
    const finishReason = isOver() ? "stop" : event.reason;
    yield* filter.add(translator.end(count(parser.finish()), finishReason !== "stop"));
    const usage = { ...event.usage, reasoningTokens };
    return { finishReason, usage, tokens, kept: translator.kept, isStopped: filter.isMatched };
  }
  assert(false, "an engine's stream ended without its end event");
}

function logprobOf(event: Extract<GenerateEvent, { type: "token" }>): SampledLogprob | undefined {
  if (event.logprob === undefined) return undefined;
  return { token: event.token, logprob: event.logprob, top: event.top ?? [] };
}
