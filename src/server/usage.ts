// What was used, as Chat Completions and Completions tell it.

import type { Usage } from "../agent/index.ts";

export interface WireUsage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number; readonly audio_tokens: 0 };
  readonly completion_tokens_details: { readonly reasoning_tokens: number; readonly audio_tokens: 0 };
}

/** Of all choices; a prompt counts once for its `choicesOfPrompt` choices, which follow one another. */
export function wireUsage(usages: readonly Usage[], choicesOfPrompt = usages.length): WireUsage {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  const firsts = usages.filter((_, index) => index % choicesOfPrompt === 0);
  const prompt = sum(firsts.map(({ promptTokens }) => promptTokens));
  const completion = sum(usages.map(({ outputTokens }) => outputTokens));
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: {
      cached_tokens: sum(firsts.map(({ cachedTokens }) => cachedTokens)),
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: sum(usages.map(({ reasoningTokens }) => reasoningTokens)),
      audio_tokens: 0,
    },
  };
}
