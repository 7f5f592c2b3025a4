// The body of a Completions request, OpenAI's API of old: a text, or its tokens, to be continued as it is.

import * as z from "zod";
import { samplingFields } from "../sampling.ts";

const token = z.int().min(0);

export const completionSchema = z.object({
  model: z.string().nullish(),
  prompt: z.union([
    z.string(),
    z.array(z.string()).min(1),
    z.array(token).min(1),
    z.array(z.array(token).min(1)).min(1),
  ]),
  max_tokens: z.int().min(1).nullish(),
  ...samplingFields,
  n: z.int().min(1).nullish(),
  best_of: z.int().min(1).nullish(),
  /** How many of the likeliest tokens to list beside the sampled one. */
  logprobs: z.int().min(0).max(20).nullish(),
  echo: z.boolean().nullish(),
  suffix: z.string().nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  /** vLLM's. Default true: control tokens that the model samples are left out of the text. */
  skip_special_tokens: z.boolean().nullish(),
});

export type CompletionBody = z.output<typeof completionSchema>;
