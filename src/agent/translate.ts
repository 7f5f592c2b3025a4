// From the parser's messages to the run's events: what is reasoning, what is an answer, what is a call. Decides only
// from what was sampled so far; knows nothing of engines, of running tools, or of further turns.

import type { HarmonyEvent, MessageStart, ParsedMessage, Role } from "../harmony/index.ts";
import type { AgentEvent, AssistantText, MessageKind, SampledLogprob, ToolCall } from "./events.ts";

/** A message of the turn that counts, and the call that it is, if it is one. */
export interface KeptMessage {
  readonly kind: MessageKind | "tool-call";
  readonly parsed: ParsedMessage;
  readonly message: AssistantText;
  readonly call?: ToolCall;
}

export interface Translator {
  /** `logprob` is the one of the token that made these events. */
  add(events: readonly HarmonyEvent[], logprob: SampledLogprob | undefined): AgentEvent[];
  /** For the events that flushing the parser made after the last token. */
  end(events: readonly HarmonyEvent[], wasCutOff: boolean): AgentEvent[];
  /** What the model samples from here on is not wanted: it speaks for others, or answers its own calls. */
  readonly isOver: boolean;
  readonly kept: readonly KeptMessage[];
}

interface NewCall {
  readonly kind: "tool-call";
  readonly id: string;
  readonly name: string;
}

type DecidedMessage = { readonly kind: MessageKind } | NewCall;

/** `held` has a recipient, but only its end shows whether it is a call. */
type OpenMessage = DecidedMessage | { readonly kind: "held" };

/** `recipients` are those that the conversation offers, such as `functions.get_weather`. */
export function createTranslator(recipients: ReadonlySet<string>): Translator {
  const state: State = { recipients, kept: [], open: undefined, isOver: false, logprobs: [] };
  return {
    kept: state.kept,
    get isOver() {
      return state.isOver;
    },
    add(events, logprob) {
      // A token that opens or closes a message has no text of its own.
      if (logprob && events.every((event) => event.type === "text-delta")) state.logprobs.push(logprob);
      return events.flatMap((event) => translate(state, event, false));
    },
    end: (events, wasCutOff) => events.flatMap((event) => translate(state, event, wasCutOff)),
  };
}

interface State {
  readonly recipients: ReadonlySet<string>;
  readonly kept: KeptMessage[];
  open: OpenMessage | undefined;
  isOver: boolean;
  /** Of tokens whose text has not been said yet. */
  logprobs: SampledLogprob[];
}

function translate(state: State, event: HarmonyEvent, wasCutOff: boolean): AgentEvent[] {
  const { open } = state;
  if (state.isOver) return [];
  switch (event.type) {
    case "message-start":
      return start(state, event);
    case "text-delta":
      return open ? delta(state, open, event.text) : [];
    case "message-end": {
      const isComplete = !(wasCutOff && event.parsed.terminator === "eos");
      return open ? end(state, open, { parsed: event.parsed, isComplete }) : [];
    }
    default:
      return event satisfies never;
  }
}

function start(state: State, event: MessageStart): AgentEvent[] {
  state.logprobs = [];
  if (event.role !== "assistant" || (hasCalled(state) && !isAddressed(event.recipient))) {
    return discard(state, event.role);
  }
  state.open = openMessage(event, state.recipients);
  return state.open.kind === "held" ? [] : [startEvent(state.open)];
}

/** What was made before it has its results is not an answer. */
const hasCalled = ({ kept }: State): boolean => kept.some(({ kind }) => kind === "tool-call");

function discard(state: State, role: Role): AgentEvent[] {
  state.isOver = true;
  return [{ type: "note", note: { kind: "message-discarded", role } }];
}

function startEvent(message: DecidedMessage): AgentEvent {
  if (message.kind !== "tool-call") return { type: `${message.kind}-start` };
  return { type: "tool-call-start", id: message.id, name: message.name };
}

function delta(state: State, message: OpenMessage, text: string): AgentEvent[] {
  switch (message.kind) {
    case "held":
      return [];
    case "tool-call":
      return [{ type: "tool-call-delta", id: message.id, text }];
    default: {
      const logprobs = state.logprobs.splice(0);
      return [{ type: `${message.kind}-delta`, text, ...(logprobs.length > 0 && { logprobs }) }];
    }
  }
}

interface Ending {
  readonly parsed: ParsedMessage;
  readonly isComplete: boolean;
}

function end(state: State, message: OpenMessage, ending: Ending): AgentEvent[] {
  const { parsed } = ending;
  state.open = undefined;
  const notes = parsed.notes.map((note): AgentEvent => ({ type: "note", note }));
  if (message.kind !== "held") return [...notes, endEvent(state, message, ending)];
  if (hasCalled(state) && !isCall(parsed)) return [...notes, ...discard(state, "assistant")];
  const decided = decide(parsed);
  const { content } = parsed.message;
  const body = content === "" ? [] : delta(state, decided, content);
  return [...notes, startEvent(decided), ...body, endEvent(state, decided, ending)];
}

function endEvent({ kept }: State, decided: DecidedMessage, { parsed, isComplete }: Ending): AgentEvent {
  const said = parsed.message as AssistantText; // start() lets no other role open
  if (decided.kind !== "tool-call") {
    const message = unaddressed(said);
    if (isComplete) kept.push({ kind: decided.kind, parsed, message });
    return { type: `${decided.kind}-end`, message, isComplete };
  }
  const call: ToolCall = { id: decided.id, name: decided.name, arguments: said.content, message: said };
  if (isComplete) kept.push({ kind: "tool-call", parsed, message: said, call });
  return { type: "tool-call-end", call, isComplete };
}

function openMessage(start: MessageStart, recipients: ReadonlySet<string>): OpenMessage {
  const { recipient, channel } = start;
  if (!isAddressed(recipient)) return { kind: kindOf(channel) };
  // In the analysis channel a function as recipient may be a slip, with reasoning as its text.
  const isCertain =
    recipients.has(recipient) && !(channel === "analysis" && recipient.startsWith(functionPrefix));
  return isCertain ? newCall(recipient) : { kind: "held" };
}

const functionPrefix = "functions.";

/** Messages to these are not calls. */
const speakers = new Set(["", "all", "user", "assistant"]);
const isAddressed = (recipient: string | undefined): recipient is string =>
  recipient !== undefined && !speakers.has(recipient);

function isCall({ message, terminator }: ParsedMessage): boolean {
  if (terminator === "call") return true;
  return message.recipient?.startsWith(functionPrefix) === true && isJson(message.content);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // the question was whether it parses
  }
}

/** What is no call is kept without its recipient, or a later prompt would show a call that has no result. */
function unaddressed(message: AssistantText): AssistantText {
  if (!isAddressed(message.recipient)) return message;
  const { recipient: _, ...rest } = message;
  return rest;
}

function decide(parsed: ParsedMessage): DecidedMessage {
  const { recipient = "", channel } = parsed.message;
  return isCall(parsed) ? newCall(recipient) : { kind: kindOf(channel) };
}

function newCall(recipient: string): NewCall {
  const name = recipient.startsWith(functionPrefix) ? recipient.slice(functionPrefix.length) : recipient;
  return { kind: "tool-call", id: `call_${crypto.randomUUID().replaceAll("-", "")}`, name };
}

/** Text without a channel is shown: an answer that lost its header is still an answer. */
function kindOf(channel: string | undefined): MessageKind {
  if (channel === "analysis") return "reasoning";
  return channel === "commentary" ? "preamble" : "text";
}
