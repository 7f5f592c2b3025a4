// A client that believes nothing: it builds the response from the deltas alone, as OpenAI's accumulator does, and throws
// at whatever such a client cannot digest. What it built has to be what the last event says.

import { expect } from "vitest";
import {
  foldEvents,
  type OutputItem,
  type ResponseObject,
  type StreamEvent,
  terminalTypes,
} from "../wire.ts";

type Built = { -readonly [Key in keyof OutputItem]: OutputItem[Key] } & {
  content?: { type: string; text: string }[];
  summary?: { type: string; text: string }[];
  arguments?: string;
};

interface Client {
  readonly items: {
    built: Built;
    isDone: boolean;
    openPart: number | undefined;
    openSummary: number | undefined;
  }[];
  response: ResponseObject | undefined;
  isOver: boolean;
}

/** Throws (fails the test) at the first event that breaks a rule; gives the finished response. */
export function readStrictly(events: readonly StreamEvent[]): ResponseObject {
  const client: Client = { items: [], response: undefined, isOver: false };
  expect(events[0]?.type).toBe("response.created");
  for (const [index, event] of events.entries()) {
    expect(event.sequence_number).toBe(index);
    expect(client.isOver, `an event after the end: ${event.type}`).toBe(false);
    read(client, event);
  }
  const last = events.at(-1)!;
  expect(terminalTypes).toContain(last.type);
  expect(client.items.every(({ isDone }) => isDone)).toBe(true);
  const { response } = client;
  expect(response!.output).toEqual(client.items.map(({ built }) => built));
  expect(foldEvents(events)).toBe(response);
  checkEnd(response!);
  return response!;
}

function checkEnd(response: ResponseObject): void {
  const ids = response.output.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.every((id) => id !== "")).toBe(true);
  expect(response.output.slice(0, -1).every(({ status }) => status === "completed")).toBe(true);
  if (response.status === "completed") {
    expect(response.output.every(({ status }) => status === "completed")).toBe(true);
    expect(response.completed_at).toBeTypeOf("number");
  } else expect(response.completed_at).toBeNull();
  const { usage } = response;
  if (!usage) return;
  expect(usage.total_tokens).toBe(usage.input_tokens + usage.output_tokens);
  expect(usage.output_tokens_details.reasoning_tokens).toBeLessThanOrEqual(usage.output_tokens);
  expect(usage.input_tokens_details.cached_tokens).toBeLessThanOrEqual(usage.input_tokens);
}

function read(client: Client, event: StreamEvent): void {
  switch (event.type) {
    case "response.created":
    case "response.queued":
    case "response.in_progress":
      readLifecycle(client, event.response);
      break;
    case "response.completed":
    case "response.incomplete":
    case "response.failed":
      readLifecycle(client, event.response);
      client.isOver = true;
      break;
    case "error":
      expect(event.message).toBe(event.error.message);
      break;
    case "response.output_item.added":
      expect(event.output_index).toBe(client.items.length);
      expect(client.items.every(({ isDone }) => isDone)).toBe(true);
      expect(event.item.status).toBe("in_progress");
      client.items.push({
        built: structuredClone(event.item) as Built,
        isDone: false,
        openPart: undefined,
        openSummary: undefined,
      });
      break;
    default:
      readChild(client, event);
  }
}

function readLifecycle(client: Client, response: ResponseObject): void {
  expect(response.id).toMatch(/^resp_/);
  if (client.response) {
    expect(response.id).toBe(client.response.id);
    expect(response.created_at).toBe(client.response.created_at);
  }
  client.response = response;
}

type ChildEvent = Exclude<StreamEvent, { readonly response: unknown } | { readonly error: unknown }>;

function readChild(client: Client, event: ChildEvent): void {
  const open = client.items[event.output_index];
  expect(open, `${event.type} of an item that was not added`).toBeDefined();
  expect(open.isDone).toBe(false);
  if ("item_id" in event) expect(event.item_id).toBe(open.built.id);
  const { built } = open;
  switch (event.type) {
    case "response.content_part.added":
      expect(event.content_index).toBe(built.content!.length);
      expect(event.part.text).toBe("");
      built.content!.push(structuredClone(event.part) as { type: string; text: string });
      open.openPart = event.content_index;
      break;
    case "response.reasoning_text.delta":
    case "response.output_text.delta": {
      expect(event.content_index).toBe(open.openPart);
      expect(event.delta).not.toBe("");
      const part = built.content![event.content_index] as { text: string; logprobs?: unknown[] };
      part.text += event.delta;
      if ("logprobs" in event) part.logprobs!.push(...event.logprobs);
      break;
    }
    case "response.reasoning_text.done":
    case "response.output_text.done":
      expect(event.text).toBe(built.content![event.content_index].text);
      break;
    case "response.content_part.done":
      expect(event.part).toEqual(built.content![event.content_index]);
      open.openPart = undefined;
      break;
    case "response.reasoning_summary_part.added":
      expect(event.summary_index).toBe(built.summary!.length);
      expect(event.part).toEqual({ type: "summary_text", text: "" });
      built.summary!.push(structuredClone(event.part));
      open.openSummary = event.summary_index;
      break;
    case "response.reasoning_summary_text.delta":
      expect(event.summary_index).toBe(open.openSummary);
      expect(event.delta).not.toBe("");
      built.summary![event.summary_index].text += event.delta;
      break;
    case "response.reasoning_summary_text.done":
      expect(event.text).toBe(built.summary![event.summary_index].text);
      break;
    case "response.reasoning_summary_part.done":
      expect(event.part).toEqual(built.summary![event.summary_index]);
      open.openSummary = undefined;
      break;
    case "response.function_call_arguments.delta":
      expect(event.delta).not.toBe("");
      built.arguments += event.delta;
      break;
    case "response.function_call_arguments.done":
      expect(event.arguments).toBe(built.arguments);
      break;
    case "response.output_item.done": {
      expect(open.openPart).toBeUndefined();
      expect(open.openSummary).toBeUndefined();
      const { status, encrypted_content } = event.item as Built & { encrypted_content?: string };
      built.status = status;
      if (encrypted_content !== undefined) Object.assign(built, { encrypted_content });
      expect(event.item).toEqual(built);
      open.isDone = true;
      break;
    }
    case "response.output_item.added":
      break; // read() has seen it
    default:
      event satisfies never;
  }
}
