// The Responses API as TypeScript sees it: the response, its items, and the events of a stream. Every optional key of
// the wire is absent rather than null, except where the format asks for null.

import type { WireLogprob } from "../prompt/index.ts";

export type ResponseStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";
export type ItemStatus = "in_progress" | "completed" | "incomplete";

export interface OutputText {
  readonly type: "output_text";
  readonly text: string;
  readonly annotations: readonly unknown[];
  readonly logprobs?: readonly WireLogprob[];
}

export interface ReasoningText {
  readonly type: "reasoning_text";
  readonly text: string;
}

export interface SummaryText {
  readonly type: "summary_text";
  readonly text: string;
}

export interface ReasoningItem {
  readonly type: "reasoning";
  readonly id: string;
  readonly status: ItemStatus;
  readonly summary: readonly SummaryText[];
  readonly content: readonly ReasoningText[];
  /** The same text, sealed, for clients that keep nothing on the server and show nothing. */
  readonly encrypted_content?: string;
}

export interface OutputMessage {
  readonly type: "message";
  readonly id: string;
  readonly status: ItemStatus;
  readonly role: "assistant";
  readonly content: readonly OutputText[];
  /** Commentary is said on the way to a call. */
  readonly phase: "commentary" | "final_answer";
}

export interface FunctionCallItem {
  readonly type: "function_call";
  readonly id: string;
  readonly status: ItemStatus;
  readonly call_id: string;
  readonly name: string;
  readonly arguments: string;
}

export type OutputItem = ReasoningItem | OutputMessage | FunctionCallItem;

export interface WireUsage {
  readonly input_tokens: number;
  readonly input_tokens_details: { readonly cached_tokens: number; readonly cache_write_tokens: number };
  readonly output_tokens: number;
  readonly output_tokens_details: { readonly reasoning_tokens: number };
  readonly total_tokens: number;
}

export interface FunctionToolEcho {
  readonly type: "function";
  readonly name: string;
  readonly description: string | null;
  readonly parameters: unknown;
  readonly strict: boolean | null;
}

export interface ResponseObject {
  readonly id: string;
  readonly object: "response";
  /** Unix seconds. */
  readonly created_at: number;
  readonly completed_at: number | null;
  readonly status: ResponseStatus;
  readonly incomplete_details: { readonly reason: "max_output_tokens" | "content_filter" } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly model: string;
  readonly previous_response_id: string | null;
  readonly instructions: string | null;
  readonly output: readonly OutputItem[];
  readonly tools: readonly FunctionToolEcho[];
  readonly tool_choice: unknown;
  readonly truncation: "auto" | "disabled";
  readonly parallel_tool_calls: boolean;
  readonly text: { readonly format: unknown; readonly verbosity?: string };
  readonly top_p: number;
  readonly presence_penalty: number;
  readonly frequency_penalty: number;
  readonly top_logprobs: number;
  readonly temperature: number;
  readonly reasoning: { readonly effort: string | null; readonly summary: string | null };
  readonly usage: WireUsage | null;
  readonly max_output_tokens: number | null;
  readonly max_tool_calls: number | null;
  readonly store: boolean;
  readonly background: boolean;
  readonly service_tier: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly safety_identifier: string | null;
  readonly prompt_cache_key: string | null;
}

export type LifecycleType =
  | "response.created"
  | "response.queued"
  | "response.in_progress"
  | "response.completed"
  | "response.incomplete"
  | "response.failed";

interface OfSummary {
  readonly item_id: string;
  readonly output_index: number;
  readonly summary_index: number;
}

interface OfPart {
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
}

/** An event before it has its number. */
export type EventBody =
  | { readonly type: LifecycleType; readonly response: ResponseObject }
  | {
      readonly type: "response.output_item.added" | "response.output_item.done";
      readonly output_index: number;
      readonly item: OutputItem;
    }
  | ({
      readonly type: "response.content_part.added" | "response.content_part.done";
      readonly part: OutputText | ReasoningText;
    } & OfPart)
  | ({ readonly type: "response.reasoning_text.delta"; readonly delta: string } & OfPart)
  | ({ readonly type: "response.reasoning_text.done"; readonly text: string } & OfPart)
  | ({
      readonly type: "response.reasoning_summary_part.added" | "response.reasoning_summary_part.done";
      readonly part: SummaryText;
    } & OfSummary)
  | ({ readonly type: "response.reasoning_summary_text.delta"; readonly delta: string } & OfSummary)
  | ({ readonly type: "response.reasoning_summary_text.done"; readonly text: string } & OfSummary)
  | ({
      readonly type: "response.output_text.delta";
      readonly delta: string;
      readonly logprobs: readonly WireLogprob[];
    } & OfPart)
  | ({
      readonly type: "response.output_text.done";
      readonly text: string;
      readonly logprobs: readonly WireLogprob[];
    } & OfPart)
  | {
      readonly type: "response.function_call_arguments.delta";
      readonly item_id: string;
      readonly output_index: number;
      readonly delta: string;
    }
  | {
      readonly type: "response.function_call_arguments.done";
      readonly item_id: string;
      readonly output_index: number;
      readonly name: string;
      readonly arguments: string;
    }
  | ErrorEvent;

/** Flat as OpenAI's clients read it, and nested as Open Responses does. */
export interface ErrorEvent {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly param: string | null;
  readonly error: {
    readonly type: string;
    readonly code: string;
    readonly message: string;
    readonly param: string | null;
  };
}

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
