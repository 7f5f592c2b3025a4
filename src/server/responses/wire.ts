// The Responses API as TypeScript sees it: the types of what wire-items.ts and wire-events.ts describe.

import type * as z from "zod";
import type { Wire } from "../wire.ts";
import type { eventBody } from "./wire-events.ts";
import type {
  functionCallItem,
  functionToolEcho,
  itemStatus,
  outputItem,
  outputMessage,
  outputText,
  reasoningItem,
  reasoningText,
  responseObject,
  responseStatus,
  summaryText,
  wireUsage,
} from "./wire-items.ts";

export type ResponseStatus = z.output<typeof responseStatus>;
export type ItemStatus = z.output<typeof itemStatus>;

export type OutputText = Wire<typeof outputText>;
export type ReasoningText = Wire<typeof reasoningText>;
export type SummaryText = Wire<typeof summaryText>;
export type ReasoningItem = Wire<typeof reasoningItem>;
export type OutputMessage = Wire<typeof outputMessage>;
export type FunctionCallItem = Wire<typeof functionCallItem>;
export type OutputItem = Wire<typeof outputItem>;
export type WireUsage = Wire<typeof wireUsage>;
export type FunctionToolEcho = Wire<typeof functionToolEcho>;
export type ResponseObject = Wire<typeof responseObject>;

/** An event before it has its number. */
export type EventBody = Wire<typeof eventBody>;
export type LifecycleType = Extract<EventBody, { readonly response: unknown }>["type"];

/** `sequence_number` counts the events of a response from 0. */
export type StreamEvent = EventBody & { readonly sequence_number: number };

export const terminalTypes: ReadonlySet<string> = new Set<LifecycleType>([
  "response.completed",
  "response.incomplete",
  "response.failed",
]);

/** Not streaming is a fold of the stream: the response of its last event that has one. */
export function foldEvents(events: Iterable<StreamEvent>): ResponseObject | undefined {
  let last: ResponseObject | undefined;
  for (const event of events) if ("response" in event) last = event.response;
  return last;
}

/** Nothing about it will change any more. */
export const ended = ({ status }: ResponseObject): boolean => status !== "queued" && status !== "in_progress";
