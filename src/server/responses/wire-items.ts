// The response of the Responses API and its items, as schemas. Every optional key of the wire is absent rather than null,
// except where the format asks for null.

import * as z from "zod";
import { logprobSchema, named, tokenCount, unixSeconds } from "../wire.ts";

export const responseStatus = z.enum([
  "queued",
  "in_progress",
  "completed",
  "incomplete",
  "failed",
  "cancelled",
]);
export const itemStatus = z.enum(["in_progress", "completed", "incomplete"]);

export const outputText = z.object({
  type: z.literal("output_text"),
  text: z.string(),
  annotations: z.array(z.unknown()),
  logprobs: z.array(logprobSchema).exactOptional(),
});

export const reasoningText = z.object({ type: z.literal("reasoning_text"), text: z.string() });
export const summaryText = z.object({ type: z.literal("summary_text"), text: z.string() });

export const reasoningItem = named(
  "ReasoningItem",
  z.object({
    type: z.literal("reasoning"),
    id: z.string(),
    status: itemStatus,
    summary: z.array(summaryText),
    content: z.array(reasoningText),
    encrypted_content: z
      .string()
      .exactOptional()
      .describe("The same text, sealed, for clients that keep nothing on the server and show nothing"),
  }),
);

export const outputMessage = named(
  "OutputMessage",
  z.object({
    type: z.literal("message"),
    id: z.string(),
    status: itemStatus,
    role: z.literal("assistant"),
    content: z.array(outputText),
    phase: z.enum(["commentary", "final_answer"]).describe("Commentary is said on the way to a call"),
  }),
);

export const functionCallItem = named(
  "FunctionCall",
  z.object({
    type: z.literal("function_call"),
    id: z.string(),
    status: itemStatus,
    call_id: z.string(),
    name: z.string(),
    namespace: z.string().exactOptional().describe("Of a function that was declared in one"),
    arguments: z.string(),
  }),
);

export const outputItem = named(
  "OutputItem",
  z.discriminatedUnion("type", [reasoningItem, outputMessage, functionCallItem]),
);

export const wireUsage = named(
  "ResponseUsage",
  z.object({
    input_tokens: tokenCount,
    input_tokens_details: z.object({ cached_tokens: tokenCount, cache_write_tokens: tokenCount }),
    output_tokens: tokenCount,
    output_tokens_details: z.object({ reasoning_tokens: tokenCount }),
    total_tokens: tokenCount,
  }),
);

/** What a client asked for and reads again as it wrote it: described, and nothing that code looks into. */
const echo = (schema: z.ZodType): z.ZodType<unknown> => schema;

export const functionToolEcho = z.object({
  type: z.literal("function"),
  name: z.string(),
  description: z.string().nullable(),
  parameters: echo(z.union([z.record(z.string(), z.unknown()), z.boolean()]).nullable()),
  strict: z.boolean().nullable(),
});

const toolChoiceEcho = z.union([z.enum(["auto", "none", "required"]), z.looseObject({ type: z.string() })]);

const formatEcho = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    name: z.string(),
    description: z.string().nullable(),
    schema: z.union([z.record(z.string(), z.unknown()), z.boolean()]),
    strict: z.boolean(),
  }),
]);

export const responseObject = named(
  "Response",
  z.object({
    id: z.string(),
    object: z.literal("response"),
    created_at: unixSeconds,
    completed_at: unixSeconds.nullable(),
    status: responseStatus,
    incomplete_details: z.object({ reason: z.enum(["max_output_tokens", "content_filter"]) }).nullable(),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    model: z.string(),
    previous_response_id: z.string().nullable(),
    instructions: z.string().nullable(),
    output: z.array(outputItem),
    tools: z.array(functionToolEcho),
    tool_choice: echo(toolChoiceEcho),
    truncation: z.enum(["auto", "disabled"]),
    parallel_tool_calls: z.boolean(),
    text: z.object({ format: echo(formatEcho), verbosity: z.string().exactOptional() }),
    top_p: z.number(),
    presence_penalty: z.number(),
    frequency_penalty: z.number(),
    top_logprobs: z.int(),
    temperature: z.number(),
    reasoning: z.object({ effort: z.string().nullable(), summary: z.string().nullable() }),
    usage: wireUsage.nullable(),
    max_output_tokens: z.int().nullable(),
    max_tool_calls: z.int().nullable(),
    store: z.boolean(),
    background: z.boolean(),
    service_tier: z.string(),
    metadata: z.record(z.string(), z.string()),
    safety_identifier: z.string().nullable(),
    prompt_cache_key: z.string().nullable(),
  }),
);
