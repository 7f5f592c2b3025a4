// The events of a streamed response, as schemas: the same over server-sent events and WebSocket.

import * as z from "zod";
import { errorObjectSchema } from "../errors.ts";
import { logprobSchema, named } from "../wire.ts";
import { outputItem, outputText, reasoningText, responseObject, summaryText } from "./wire-items.ts";

const index = z.int().min(0);
const ofItem = { item_id: z.string(), output_index: index };
const ofPart = { ...ofItem, content_index: index };
const ofSummary = { ...ofItem, summary_index: index };

const lifecycleType = z.enum([
  "response.created",
  "response.queued",
  "response.in_progress",
  "response.completed",
  "response.incomplete",
  "response.failed",
]);

const lifecycle = z.object({ type: lifecycleType, response: responseObject });

const item = z.object({
  type: z.enum(["response.output_item.added", "response.output_item.done"]),
  output_index: index,
  item: outputItem,
});

const part = z.object({
  type: z.enum(["response.content_part.added", "response.content_part.done"]),
  ...ofPart,
  part: z.discriminatedUnion("type", [outputText, reasoningText]),
});

const reasoningDelta = z.object({
  type: z.literal("response.reasoning_text.delta"),
  ...ofPart,
  delta: z.string(),
});
const reasoningDone = z.object({
  type: z.literal("response.reasoning_text.done"),
  ...ofPart,
  text: z.string(),
});

const summaryPart = z.object({
  type: z.enum(["response.reasoning_summary_part.added", "response.reasoning_summary_part.done"]),
  ...ofSummary,
  part: summaryText,
});
const summaryDelta = z.object({
  type: z.literal("response.reasoning_summary_text.delta"),
  ...ofSummary,
  delta: z.string(),
});
const summaryDone = z.object({
  type: z.literal("response.reasoning_summary_text.done"),
  ...ofSummary,
  text: z.string(),
});

const textDelta = z.object({
  type: z.literal("response.output_text.delta"),
  ...ofPart,
  delta: z.string(),
  logprobs: z.array(logprobSchema),
});
const textDone = z.object({
  type: z.literal("response.output_text.done"),
  ...ofPart,
  text: z.string(),
  logprobs: z.array(logprobSchema),
});

const argumentsDelta = z.object({
  type: z.literal("response.function_call_arguments.delta"),
  ...ofItem,
  delta: z.string(),
});
const argumentsDone = z.object({
  type: z.literal("response.function_call_arguments.done"),
  ...ofItem,
  name: z.string(),
  arguments: z.string(),
});

/** Flat as OpenAI's clients read it, and nested as Open Responses does. */
const error = z.object({
  type: z.literal("error"),
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
  error: errorObjectSchema,
});

/** An event before it has its number. */
export const eventBody = z.discriminatedUnion("type", [
  lifecycle,
  item,
  part,
  reasoningDelta,
  reasoningDone,
  summaryPart,
  summaryDelta,
  summaryDone,
  textDelta,
  textDone,
  argumentsDelta,
  argumentsDone,
  error,
]);

const sequence_number = z.int().min(0).describe("Counts the events of a response from 0");

/** What a client reads, with the names of Open Responses where it asks for them. */
export const shownEvent = named(
  "ResponseStreamEvent",
  z.discriminatedUnion("type", [
    named("ResponseEvent", lifecycle.extend({ sequence_number })),
    named("ResponseItemEvent", item.extend({ sequence_number })),
    named("ResponsePartEvent", part.extend({ sequence_number })),
    named(
      "ResponseReasoningDeltaEvent",
      reasoningDelta.extend({
        type: z.enum(["response.reasoning_text.delta", "response.reasoning.delta"]),
        sequence_number,
      }),
    ),
    named(
      "ResponseReasoningDoneEvent",
      reasoningDone.extend({
        type: z.enum(["response.reasoning_text.done", "response.reasoning.done"]),
        sequence_number,
      }),
    ),
    named("ResponseSummaryPartEvent", summaryPart.extend({ sequence_number })),
    named("ResponseSummaryDeltaEvent", summaryDelta.extend({ sequence_number })),
    named("ResponseSummaryDoneEvent", summaryDone.extend({ sequence_number })),
    named("ResponseTextDeltaEvent", textDelta.extend({ sequence_number })),
    named("ResponseTextDoneEvent", textDone.extend({ sequence_number })),
    named("ResponseArgumentsDeltaEvent", argumentsDelta.extend({ sequence_number })),
    named("ResponseArgumentsDoneEvent", argumentsDone.extend({ sequence_number })),
    named("ResponseErrorEvent", error.extend({ sequence_number })),
  ]),
);
