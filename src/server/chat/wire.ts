// The bodies of Chat Completions, as schemas: a completion, and the chunks of a stream.

import * as z from "zod";
import { usageSchema } from "../usage.ts";
import { logprobSchema, named, unixSeconds, type Wire } from "../wire.ts";

const finishReason = z.enum(["stop", "length", "tool_calls", "function_call"]);
const logprobs = z.object({ content: z.array(logprobSchema), refusal: z.null() }).nullable();

/** The same twice: the cookbook's name, and the one that clients of DeepSeek and llama.cpp read. */
const reasoning = { reasoning: z.string().exactOptional(), reasoning_content: z.string().exactOptional() };

/** What all chunks of a completion have in common. */
const head = {
  id: z.string(),
  created: unixSeconds,
  model: z.string(),
  system_fingerprint: z.string(),
  service_tier: z.string(),
};

const toolCallDelta = z.object({
  index: z.int().min(0),
  id: z.string().exactOptional(),
  type: z.literal("function").exactOptional(),
  function: z.object({ name: z.string().exactOptional(), arguments: z.string() }),
});

const messageDelta = z.object({
  role: z.literal("assistant").exactOptional(),
  content: z.string().exactOptional(),
  ...reasoning,
  tool_calls: z.array(toolCallDelta).exactOptional(),
  function_call: z.object({ name: z.string().exactOptional(), arguments: z.string() }).exactOptional(),
});

export const chatChunk = named(
  "ChatCompletionChunk",
  z.object({
    ...head,
    object: z.literal("chat.completion.chunk"),
    choices: z.array(
      z.object({
        index: z.int().min(0),
        delta: messageDelta,
        logprobs,
        finish_reason: finishReason.nullable(),
      }),
    ),
    usage: usageSchema
      .nullable()
      .exactOptional()
      .describe("Where stream_options.include_usage is true: null in all chunks but the last"),
  }),
);

const message = z.object({
  role: z.literal("assistant"),
  content: z.string().nullable(),
  refusal: z.null(),
  ...reasoning,
  tool_calls: z
    .array(
      z.object({
        id: z.string(),
        type: z.literal("function"),
        function: z.object({ name: z.string(), arguments: z.string() }),
      }),
    )
    .exactOptional(),
  function_call: z.object({ name: z.string(), arguments: z.string() }).exactOptional(),
  annotations: z.array(z.unknown()),
});

export const chatCompletion = named(
  "ChatCompletion",
  z.object({
    ...head,
    object: z.literal("chat.completion"),
    choices: z.array(
      z.object({ index: z.int().min(0), message, logprobs, finish_reason: finishReason.nullable() }),
    ),
    usage: usageSchema,
  }),
);

export type ChatFinishReason = z.output<typeof finishReason>;
export type ToolCallDelta = Wire<typeof toolCallDelta>;
export type MessageDelta = Wire<typeof messageDelta>;
export type ChatMessage = Wire<typeof message>;
export type ChatChunk = Wire<typeof chatChunk>;
export type ChatCompletion = Wire<typeof chatCompletion>;
export type ChatLogprobs = Wire<typeof logprobs>;
