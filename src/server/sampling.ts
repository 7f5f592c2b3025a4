// How tokens are sampled, as Chat Completions and Completions spell it.

import * as z from "zod";
import type { SamplingOptions } from "../engine/index.ts";
import type { ServedModel } from "./context.ts";

export const samplingFields = {
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z
    .record(z.string().regex(/^\d+$/, "token ids as keys"), z.number().min(-100).max(100))
    .nullish(),
  seed: z.int().nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
  /** vLLM's and llama.cpp's. */
  top_k: z.int().nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().min(0.01).max(100).nullish(),
};

const sampling = z.object(samplingFields);

export type SamplingBody = z.output<typeof sampling>;

/** Choices of the same prompt differ by their seed. */
export function samplingOf(body: SamplingBody, model: ServedModel, choice: number): SamplingOptions {
  const temperature = body.temperature ?? model.defaults?.temperature;
  const { top_k: topK, logit_bias: logitBias } = body;
  return {
    ...(temperature !== undefined && { temperature }),
    ...(body.top_p != null && { topP: body.top_p }),
    // vLLM's -1, like no value: all of them
    ...(topK != null && topK > 0 && { topK }),
    ...(body.min_p != null && { minP: body.min_p }),
    ...(body.repetition_penalty != null && { repetitionPenalty: body.repetition_penalty }),
    ...(body.frequency_penalty != null && { frequencyPenalty: body.frequency_penalty }),
    ...(body.presence_penalty != null && { presencePenalty: body.presence_penalty }),
    ...(body.seed != null && { seed: body.seed + choice }),
    ...(logitBias != null && {
      logitBias: new Map(Object.entries(logitBias).map(([token, bias]) => [Number(token), bias])),
    }),
  };
}

/** Some clients send an empty text for none. */
export function stopOf({ stop }: SamplingBody): string[] {
  const all = typeof stop === "string" ? [stop] : (stop ?? []);
  return all.filter((text) => text !== "");
}
