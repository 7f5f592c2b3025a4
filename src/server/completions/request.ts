// The body of a Completions request, OpenAI's API of old: a text, or its tokens, to be continued as it is.

import * as z from "zod";

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
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  frequency_penalty: z.number().min(-2).max(2).nullish(),
  presence_penalty: z.number().min(-2).max(2).nullish(),
  logit_bias: z
    .record(z.string().regex(/^\d+$/, "token ids as keys"), z.number().min(-100).max(100))
    .nullish(),
  seed: z.int().nullish(),
  n: z.int().min(1).nullish(),
  best_of: z.int().min(1).nullish(),
  stop: z.union([z.string(), z.array(z.string()).max(4)]).nullish(),
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
