// The events of a response that is not being made for this client: from the process that makes it, from the store, or,
// where nobody kept them, made again from the response.

import type { OwnResponses } from "../store/index.ts";
import type { FollowOptions } from "./live.ts";
import { keptResponse } from "./lookup.ts";
import type { ResponsesApiParts } from "./options.ts";
import { summaryAdded, summaryDelta, summaryDone } from "./summary.ts";
import type { EventBody, LifecycleType, OutputItem, ResponseObject, StreamEvent } from "./wire.ts";
import { ended, terminalTypes } from "./wire.ts";

export interface ReplayOptions extends FollowOptions {
  /** Of the caller. */
  readonly stored: OwnResponses;
}

/** Events after a number; of a response that still runs, those to come too. */
export function replay(
  api: ResponsesApiParts,
  response: ResponseObject,
  options: ReplayOptions,
): AsyncGenerator<StreamEvent, void> {
  const live = api.live.get(response.id);
  if (live) return live.follow(options);
  return response.background ? storedEvents(response.id, options) : madeAgain(response, options);
}

async function* madeAgain(
  response: ResponseObject,
  { after }: FollowOptions,
): AsyncGenerator<StreamEvent, void> {
  for (const event of eventsOf(response)) if (event.sequence_number > after) yield event;
}

/** How often a process looks for events of a response that runs in another one. */
const lookEveryMs = 250;

async function* storedEvents(
  id: string,
  { after, signal, stored }: ReplayOptions,
): AsyncGenerator<StreamEvent, void> {
  let last = after;
  while (!signal.aborted) {
    const record = await stored.get(id);
    const events = (await stored.events(id, last)) as readonly StreamEvent[];
    yield* events;
    if (events.some(({ type }) => terminalTypes.has(type)) || !record) return;
    last = events.at(-1)?.sequence_number ?? last;
    if (events.length > 0) continue;
    const { response } = keptResponse(record);
    // Its process died before it could say so, or says so right now.
    if (ended(response)) return void (yield { ...terminal(response), sequence_number: last + 1 });
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

const terminalOf: Partial<Record<ResponseObject["status"], LifecycleType>> = {
  completed: "response.completed",
  failed: "response.failed",
};

function terminal(response: ResponseObject): EventBody {
  return { type: terminalOf[response.status] ?? "response.incomplete", response };
}

/** A stream that would have made this response, with each text in one piece. */
export function eventsOf(response: ResponseObject): StreamEvent[] {
  const begun: ResponseObject = {
    ...response,
    status: "in_progress",
    output: [],
    usage: null,
    completed_at: null,
    incomplete_details: null,
    error: null,
  };
  const bodies: EventBody[] = [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    ...response.output.flatMap(itemEvents),
    terminal(response),
  ];
  return bodies.map((body, sequence_number) => ({ ...body, sequence_number }));
}

function itemEvents(item: OutputItem, output_index: number): EventBody[] {
  const done: EventBody = { type: "response.output_item.done", output_index, item };
  const status = "in_progress";
  if (item.type === "function_call") {
    const place = { item_id: item.id, output_index };
    const begun = { ...item, status, arguments: "" } as const;
    return [
      { type: "response.output_item.added", output_index, item: begun },
      { type: "response.function_call_arguments.delta", ...place, delta: item.arguments },
      { type: "response.function_call_arguments.done", ...place, name: item.name, arguments: item.arguments },
      done,
    ];
  }
  const begun: OutputItem =
    item.type === "reasoning"
      ? { ...item, status, content: [], summary: [] }
      : { ...item, status, content: [] };
  const summary = item.type === "reasoning" ? item.summary : [];
  return [
    { type: "response.output_item.added", output_index, item: begun },
    ...item.content.flatMap((part, content_index) =>
      partEvents(part, { item_id: item.id, output_index, content_index }),
    ),
    ...summary.flatMap(({ text }, summary_index) => {
      const place = { item_id: item.id, output_index, summary_index };
      return [...summaryAdded(place), ...summaryDelta(place, text), ...summaryDone(place, text)];
    }),
    done,
  ];
}

type Part = Exclude<OutputItem, { type: "function_call" }>["content"][number];

function partEvents(
  part: Part,
  place: { readonly item_id: string; readonly output_index: number; readonly content_index: number },
): EventBody[] {
  const { text } = part;
  if (part.type === "reasoning_text") {
    return [
      { type: "response.content_part.added", ...place, part: { ...part, text: "" } },
      { type: "response.reasoning_text.delta", ...place, delta: text },
      { type: "response.reasoning_text.done", ...place, text },
      { type: "response.content_part.done", ...place, part },
    ];
  }
  const logprobs = part.logprobs ?? [];
  return [
    { type: "response.content_part.added", ...place, part: { ...part, text: "", logprobs: [] } },
    { type: "response.output_text.delta", ...place, delta: text, logprobs },
    { type: "response.output_text.done", ...place, text, logprobs },
    { type: "response.content_part.done", ...place, part },
  ];
}
