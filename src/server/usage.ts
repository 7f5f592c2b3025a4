// What was used, as Chat Completions and Completions tell it.

import * as z from "zod";
import type { Usage } from "../agent/index.ts";
import { named, tokenCount, type Wire } from "./wire.ts";

export const usageSchema = named(
  "Usage",
  z.object({
    prompt_tokens: tokenCount,
    completion_tokens: tokenCount,
    total_tokens: tokenCount,
    prompt_tokens_details: z.object({ cached_tokens: tokenCount, audio_tokens: z.literal(0) }),
    completion_tokens_details: z.object({ reasoning_tokens: tokenCount, audio_tokens: z.literal(0) }),
  }),
);

export type WireUsage = Wire<typeof usageSchema>;

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
