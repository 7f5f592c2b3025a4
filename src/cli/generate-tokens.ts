// Tokens continued as they are: no rendering before, no channels after. Everything sampled is printed.

import type { Engine, SamplingOptions, TokenUsage } from "../engine/index.ts";
import { conversationToJson, parseTokens, stopTokens } from "../harmony/index.ts";
import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import { print, printJson, visible } from "./terminal.ts";

export interface RawModel {
  readonly engine: Engine;
  /** Without one there is no text, only ids. */
  readonly tokenizer: Tokenizer | undefined;
  readonly stopTokens: readonly number[];
}

export interface RawOptions {
  readonly sampling: SamplingOptions;
  readonly maxTokens?: number;
  readonly asJson: boolean;
  readonly signal: AbortSignal;
}

export async function generateFromTokens(
  model: RawModel,
  prompt: readonly number[],
  { asJson, ...options }: RawOptions,
): Promise<void> {
  const { engine, tokenizer } = model;
  const tokens: number[] = [];
  const decoder = tokenizer?.streamDecoder();
  let finishReason = "aborted";
  let usage: TokenUsage = { promptTokens: prompt.length, cachedTokens: 0, outputTokens: 0 };
  const stops = tokenizer ? stopTokens(tokenizer, model.stopTokens) : model.stopTokens;
  const request = { tokens: prompt, stopTokens: stops, ...options };
  for await (const event of engine.generate(request)) {
    if (event.type === "end") {
      finishReason = event.reason;
      usage = event.usage;
      continue;
    }
    tokens.push(event.token);
    if (!asJson) print(decoder ? visible(decoder.push(event.token as TokenId)) : `${event.token} `);
  }
  if (!asJson) return print(`${decoder?.flush() ?? ""}\n`);
  const text = tokenizer?.decode(tokens as TokenId[]) ?? null;
  printJson({ tokens, text, finishReason, usage, ...(tokenizer && parsed(tokens as TokenId[], tokenizer)) });
}

function parsed(tokens: readonly TokenId[], tokenizer: Tokenizer) {
  return conversationToJson(parseTokens(tokens, tokenizer).messages.map(({ message }) => message));
}
