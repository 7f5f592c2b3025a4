import { type Engine, type GenerateEvent, type GenerateRequest, idleStatus } from "../../engine/index.ts";
import { o200kHarmony, type TokenId, type Tokenizer } from "../../tokenizer/index.ts";
import type { AgentModel } from "../index.ts";

/** Tokens of a text in which `<|end|>` and the like are the control tokens. */
export function tokensOf(text: string, tokenizer: Tokenizer): TokenId[] {
  return text.split(/(<\|[a-z]+\|>)/).flatMap((piece) => {
    const name = /^<\|([a-z]+)\|>$/.exec(piece)?.[1];
    const special = name === undefined ? undefined : tokenizer.special[name as keyof Tokenizer["special"]];
    return special === undefined ? tokenizer.encode(piece) : [special];
  });
}

export interface ScriptedModel extends AgentModel {
  /** What the engine was asked, turn by turn, and as text. */
  readonly requests: GenerateRequest[];
  readonly prompts: string[];
}

/** A model that samples exactly these texts (or tokens), one a turn, and stops where an engine would stop. */
export function scriptedModel(...turns: readonly (string | readonly number[])[]): ScriptedModel {
  const tokenizer = o200kHarmony();
  const requests: GenerateRequest[] = [];
  const prompts: string[] = [];
  async function* generate(request: GenerateRequest): AsyncGenerator<GenerateEvent> {
    requests.push(request);
    prompts.push(tokenizer.decode(request.tokens as TokenId[]));
    const turn = turns[requests.length - 1] ?? [];
    let outputTokens = 0;
    const end = (reason: "stop" | "length" | "aborted"): GenerateEvent => ({
      type: "end",
      reason,
      usage: { promptTokens: request.tokens.length, cachedTokens: 0, outputTokens },
    });
    for (const token of typeof turn === "string" ? tokensOf(turn, tokenizer) : turn) {
      await Promise.resolve();
      if (request.signal?.aborted) return yield end("aborted");
      outputTokens++;
      const logprobs =
        request.topLogprobs === undefined ? {} : { logprob: -1, top: [{ token, logprob: -1 }] };
      yield { type: "token", token, ...logprobs };
      if (request.stopTokens.includes(token)) return yield end("stop");
      if (outputTokens === request.maxTokens) return yield end("length");
    }
    yield end("length"); // out of script: as if the context were full
  }
  const engine: Engine = {
    contextLength: 131_072,
    vocabularySize: tokenizer.vocabularySize,
    generate,
    status: () => idleStatus,
    close: async () => {},
  };
  return { engine, tokenizer, requests, prompts };
}
