// Items of a response while they are made: added, filled, done. A client builds the same items from the events alone,
// so each starts before its deltas and ends with exactly what they add up to.

import type { AgentEvent, MessageKind, SampledLogprob } from "../../agent/index.ts";
import { callArguments, wireLogprob } from "../prompt/index.ts";
import type { WireLogprob } from "../wire.ts";
import type { FunctionName } from "./functions.ts";
import { type SummaryPlace, summaryAdded, summaryDelta, summaryDone, summaryOf } from "./summary.ts";
import type {
  EventBody,
  FunctionCallItem,
  ItemStatus,
  OutputItem,
  OutputText,
  ReasoningText,
  SummaryText,
} from "./wire.ts";
import type { WriterOptions } from "./writer.ts";

export type ItemEvent = Exclude<AgentEvent, { type: "run-end" }>;

export interface ItemWriter {
  /** `sealed` goes with a `reasoning-end`. */
  add(event: ItemEvent, sealed?: string): EventBody[];
  /** Ends what is open, as incomplete. */
  close(): EventBody[];
  /** Items that are done; another list when there is one more. */
  readonly output: readonly OutputItem[];
}

type ItemWriterOptions = Pick<WriterOptions, "functions" | "isSummarized" | "tokenizer" | "newId">;

export function createItemWriter(options: ItemWriterOptions): ItemWriter {
  const writing: Writing = { ...options, output: [], open: undefined };
  return {
    add: (event, sealed) => add(writing, event, sealed),
    close: () => close(writing),
    get output() {
      return writing.output;
    },
  };
}

interface Writing extends ItemWriterOptions {
  output: readonly OutputItem[];
  open: OpenText | OpenCall | undefined;
}

interface OpenText {
  readonly kind: MessageKind;
  /** Made with the first text, so that empty thoughts leave no trace. */
  id: string | undefined;
  text: string;
  logprobs: WireLogprob[];
}

interface OpenCall {
  readonly kind: "call";
  readonly id: string;
  readonly callId: string;
  readonly called: FunctionName;
  text: string;
}

function add(writing: Writing, event: ItemEvent, sealed: string | undefined): EventBody[] {
  const { open } = writing;
  switch (event.type) {
    case "reasoning-start":
    case "preamble-start":
    case "text-start":
      writing.open = { kind: kindOf(event.type), id: undefined, text: "", logprobs: [] };
      return [];
    case "reasoning-delta":
    case "preamble-delta":
    case "text-delta":
      return open && open.kind !== "call" ? addText(writing, open, event) : [];
    case "reasoning-end":
    case "preamble-end":
    case "text-end":
      return endOpen(writing, { status: statusOf(event.isComplete), sealed });
    case "tool-call-start":
      return startCall(writing, event);
    case "tool-call-delta":
      if (open?.kind !== "call" || event.text === "") return [];
      open.text += event.text;
      return [argumentsDelta(writing, open, event.text)];
    case "tool-call-end":
      return open?.kind === "call" ? endOpen(writing, { status: statusOf(event.isComplete) }) : [];
    case "turn-start":
    case "turn-end":
    case "tool-result":
    case "note":
      return [];
    default:
      return event satisfies never;
  }
}

const kindOf = (type: `${MessageKind}-start`): MessageKind => type.slice(0, -"-start".length) as MessageKind;
const statusOf = (isComplete: boolean): ItemStatus => (isComplete ? "completed" : "incomplete");

interface TextDelta {
  readonly text: string;
  readonly logprobs?: readonly SampledLogprob[];
}

function addText(writing: Writing, open: OpenText, delta: TextDelta): EventBody[] {
  if (delta.text === "") return [];
  const begun = begin(writing, open);
  const logprobs = (delta.logprobs ?? []).map((one) => wireLogprob(writing.tokenizer, one));
  open.text += delta.text;
  open.logprobs.push(...logprobs);
  const place = placeOf(writing, open);
  const event: EventBody =
    open.kind === "reasoning"
      ? { type: "response.reasoning_text.delta", ...place, delta: delta.text }
      : { type: "response.output_text.delta", ...place, delta: delta.text, logprobs };
  return [...begun, event, ...ifSummarized(writing, open, (of) => summaryDelta(of, delta.text))];
}

/** Some clients show nothing of an item of thoughts but its summary, so it may be the same text once more. */
function ifSummarized(
  writing: Writing,
  open: OpenText,
  events: (place: SummaryPlace) => EventBody[],
): EventBody[] {
  if (open.kind !== "reasoning" || !writing.isSummarized) return [];
  const { item_id, output_index } = placeOf(writing, open);
  return events({ item_id, output_index, summary_index: 0 });
}

const placeOf = (writing: Writing, { id = "" }: OpenText) => ({
  item_id: id,
  output_index: writing.output.length,
  content_index: 0,
});

function begin(writing: Writing, open: OpenText): EventBody[] {
  if (open.id !== undefined) return [];
  open.id = writing.newId(open.kind === "reasoning" ? "rs" : "msg");
  const item = textItem(open, { status: "in_progress", content: [] });
  const part = partOf({ ...open, logprobs: [] });
  return [
    { type: "response.output_item.added", output_index: writing.output.length, item },
    { type: "response.content_part.added", ...placeOf(writing, open), part },
    ...ifSummarized(writing, open, summaryAdded),
  ];
}

function partOf({ kind, text, logprobs }: OpenText): OutputText | ReasoningText {
  if (kind === "reasoning") return { type: "reasoning_text", text };
  return { type: "output_text", text, annotations: [], logprobs };
}

interface TextItemParts {
  readonly status: ItemStatus;
  readonly content: readonly (OutputText | ReasoningText)[];
  readonly summary?: readonly SummaryText[];
  readonly sealed?: string | undefined;
}

function textItem(
  { kind, id = "" }: OpenText,
  { status, content, summary = [], sealed }: TextItemParts,
): OutputItem {
  if (kind === "reasoning") {
    return {
      id,
      type: "reasoning",
      status,
      summary,
      content: content as ReasoningText[],
      ...(sealed !== undefined && { encrypted_content: sealed }),
    };
  }
  const phase = kind === "preamble" ? "commentary" : "final_answer";
  return { id, type: "message", status, role: "assistant", content: content as OutputText[], phase };
}

interface Ending {
  readonly status: ItemStatus;
  readonly sealed?: string | undefined;
}

function close(writing: Writing): EventBody[] {
  return endOpen(writing, { status: "incomplete" });
}

function endOpen(writing: Writing, ending: Ending): EventBody[] {
  const { open } = writing;
  writing.open = undefined;
  if (!open) return [];
  return open.kind === "call" ? endCall(writing, open, ending) : endText(writing, open, ending);
}

function endText(writing: Writing, open: OpenText, { status, sealed }: Ending): EventBody[] {
  // An answer that says nothing is an answer; a thought or a plan is not.
  if (open.text === "" && !(open.kind === "text" && status === "completed")) return [];
  const begun = begin(writing, open);
  const place = placeOf(writing, open);
  const { text, logprobs } = open;
  const part = partOf(open);
  const isSummarized = open.kind === "reasoning" && writing.isSummarized;
  const summary = isSummarized ? [summaryOf(text)] : [];
  const item = textItem(open, { status, content: [part], summary, sealed });
  const textDone: EventBody =
    open.kind === "reasoning"
      ? { type: "response.reasoning_text.done", ...place, text }
      : { type: "response.output_text.done", ...place, text, logprobs };
  const partDone: EventBody = { type: "response.content_part.done", ...place, part };
  const summaryEvents = ifSummarized(writing, open, (of) => summaryDone(of, text));
  return [...begun, textDone, partDone, ...summaryEvents, done(writing, item)];
}

function done(writing: Writing, item: OutputItem): EventBody {
  const output_index = writing.output.length;
  writing.output = [...writing.output, item];
  return { type: "response.output_item.done", output_index, item };
}

function startCall(
  writing: Writing,
  { id, name }: { readonly id: string; readonly name: string },
): EventBody[] {
  const called = writing.functions.get(name);
  if (!called) return [];
  const open: OpenCall = { kind: "call", id: writing.newId("fc"), callId: id, called, text: "" };
  writing.open = open;
  const item = callItem(open, "in_progress");
  return [{ type: "response.output_item.added", output_index: writing.output.length, item }];
}

function callItem({ id, callId, called, text }: OpenCall, status: ItemStatus): FunctionCallItem {
  const { name, namespace } = called;
  const grouped = namespace == null ? { name } : { name, namespace };
  return { id, type: "function_call", status, call_id: callId, ...grouped, arguments: text };
}

const argumentsDelta = (writing: Writing, { id }: OpenCall, delta: string): EventBody => ({
  type: "response.function_call_arguments.delta",
  item_id: id,
  output_index: writing.output.length,
  delta,
});

function endCall(writing: Writing, open: OpenCall, { status }: Ending): EventBody[] {
  const deltas: EventBody[] = [];
  if (status === "completed" && open.text === "") {
    open.text = callArguments(open.text);
    deltas.push(argumentsDelta(writing, open, open.text));
  }
  const { id, called, text } = open;
  const argumentsDone: EventBody = {
    type: "response.function_call_arguments.done",
    item_id: id,
    output_index: writing.output.length,
    name: called.name,
    arguments: text,
  };
  return [...deltas, argumentsDone, done(writing, callItem(open, status))];
}
