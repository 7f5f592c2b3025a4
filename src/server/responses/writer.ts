// The one fold from a run's events to the events of the wire. Owns their order, their numbers and ids, and the response
// that grows with them; items are written by item-writer.ts. Knows neither HTTP nor stores.

import type { AgentEvent, Usage } from "../../agent/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { type ErrorObject, errorObject, type HttpError } from "../errors.ts";
import type { FunctionName } from "./functions.ts";
import { createItemWriter, type ItemWriter } from "./item-writer.ts";
import type { EventBody, LifecycleType, ResponseObject, StreamEvent, WireUsage } from "./wire.ts";

export interface WriterOptions {
  /** As it begins: queued or in progress, without output. */
  readonly response: ResponseObject;
  /** The functions that the client can answer; calls of anything else are the server's affair and stay unseen. */
  readonly functions: ReadonlyMap<string, FunctionName>;
  /** Thoughts come as a summary too, word by word. */
  readonly isSummarized: boolean;
  readonly tokenizer: Tokenizer;
  readonly newId: (prefix: string) => string;
  /** Unix seconds. */
  readonly now: () => number;
}

export interface ResponseWriter {
  /** What comes before the model's first token. */
  open(): StreamEvent[];
  /**
   * `sealed` is the text of a `reasoning-end`, where the client wants it sealed. The last event, `run-end`, ends the
   * response.
   */
  add(event: AgentEvent, sealed?: string): StreamEvent[];
  /** Something to say while nothing happens. */
  heartbeat(): StreamEvent;
  /** Ends what is open, and the response. */
  fail(error: HttpError): StreamEvent[];
  cancel(): StreamEvent[];
  /** As of the last event. */
  readonly response: ResponseObject;
  readonly isOver: boolean;
}

export function createWriter(options: WriterOptions): ResponseWriter {
  const items = createItemWriter(options);
  const writing: Writing = { options, items, response: options.response, sequence: 0, isOver: false };
  return {
    open: () => openResponse(writing),
    add(event, sealed) {
      if (writing.isOver) return [];
      if (event.type !== "run-end") return written(writing, items.add(event, sealed));
      return endRun(writing, event);
    },
    heartbeat: () => numbered(writing, lifecycle(writing, "response.in_progress")),
    fail(error) {
      if (writing.isOver) return [];
      const closing = written(writing, items.close());
      const { code, message } = error;
      const failed = end(writing, "response.failed", { status: "failed", error: { code, message } });
      return [...closing, numbered(writing, errorEvent(errorObject(error))), numbered(writing, failed)];
    },
    cancel() {
      if (writing.isOver) return [];
      return [...written(writing, items.close()), ...cancelled(writing)];
    },
    get response() {
      return writing.response;
    },
    get isOver() {
      return writing.isOver;
    },
  };
}

interface Writing {
  readonly options: WriterOptions;
  readonly items: ItemWriter;
  response: ResponseObject;
  sequence: number;
  isOver: boolean;
}

function numbered(writing: Writing, body: EventBody): StreamEvent {
  // Written out before the rest, where a person looks for it.
  const { type, ...rest } = body;
  return { type, sequence_number: writing.sequence++, ...rest } as StreamEvent;
}

function written(writing: Writing, bodies: readonly EventBody[]): StreamEvent[] {
  const { output } = writing.items;
  if (output !== writing.response.output) writing.response = { ...writing.response, output };
  return bodies.map((body) => numbered(writing, body));
}

const lifecycle = ({ response }: Writing, type: LifecycleType): EventBody => ({ type, response });

function openResponse(writing: Writing): StreamEvent[] {
  const events = [numbered(writing, lifecycle(writing, "response.created"))];
  if (writing.response.status === "queued") {
    events.push(numbered(writing, lifecycle(writing, "response.queued")));
    writing.response = { ...writing.response, status: "in_progress" };
  }
  return [...events, numbered(writing, lifecycle(writing, "response.in_progress"))];
}

type RunEnd = Extract<AgentEvent, { type: "run-end" }>;

function endRun(writing: Writing, { finishReason, usage }: RunEnd): StreamEvent[] {
  writing.response = { ...writing.response, usage: wireUsage(usage) };
  switch (finishReason) {
    case "stop":
    case "tool-calls": {
      const completed_at = writing.options.now();
      return [numbered(writing, end(writing, "response.completed", { status: "completed", completed_at }))];
    }
    case "length": {
      const incomplete_details = { reason: "max_output_tokens" } as const;
      return [
        numbered(writing, end(writing, "response.incomplete", { status: "incomplete", incomplete_details })),
      ];
    }
    case "aborted":
      return cancelled(writing);
    default:
      return finishReason satisfies never;
  }
}

/** No client knows an event `response.cancelled`; the status says it. */
function cancelled(writing: Writing): StreamEvent[] {
  return [numbered(writing, end(writing, "response.incomplete", { status: "cancelled" }))];
}

function end(writing: Writing, type: LifecycleType, changes: Partial<ResponseObject>): EventBody {
  writing.isOver = true;
  writing.response = { ...writing.response, ...changes };
  return lifecycle(writing, type);
}

const errorEvent = ({ type, code, message, param }: ErrorObject): EventBody => ({
  type: "error",
  code,
  message,
  param,
  error: { type, code, message, param },
});

export const wireUsage = (usage: Usage): WireUsage => ({
  input_tokens: usage.promptTokens,
  input_tokens_details: { cached_tokens: usage.cachedTokens, cache_write_tokens: 0 },
  output_tokens: usage.outputTokens,
  output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  total_tokens: usage.promptTokens + usage.outputTokens,
});
