// The body of Completions, as a schema: whole, or each piece of a stream.

import * as z from "zod";
import { usageSchema } from "../usage.ts";
import { named, unixSeconds, type Wire } from "../wire.ts";

const logprobs = z
  .object({
    tokens: z.array(z.string()),
    token_logprobs: z.array(z.number()),
    top_logprobs: z.array(z.record(z.string(), z.number())),
    text_offset: z.array(z.int()),
  })
  .nullable();

const choice = z.object({
  index: z.int().min(0),
  text: z.string(),
  logprobs,
  finish_reason: z.enum(["stop", "length"]).nullable(),
});

const head = {
  id: z.string(),
  object: z.literal("text_completion"),
  created: unixSeconds,
  model: z.string(),
  choices: z.array(choice),
};

export const textCompletion = named("Completion", z.object({ ...head, usage: usageSchema }));
export const textCompletionChunk = named(
  "CompletionChunk",
  z.object({ ...head, usage: usageSchema.nullable().exactOptional() }),
);

export type TextCompletion = Wire<typeof textCompletion>;
export type TextCompletionChunk = Wire<typeof textCompletionChunk>;
