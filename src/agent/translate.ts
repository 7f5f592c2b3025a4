// From the parser's messages to the run's events: what is reasoning, what is an answer, what is a call. Decides only
// from what was sampled so far; knows nothing of engines, of running tools, or of further turns.

import type { HarmonyEvent, MessageStart, ParsedMessage, Role } from "../harmony/index.ts";
import type {
  AgentEvent,
  AssistantText,
  MessageEvent,
  MessageKind,
  SampledLogprob,
  ToolCall,
} from "./events.ts";

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

type OpenMessage =
  | { readonly kind: MessageKind }
  | { readonly kind: "tool-call"; readonly id: string; readonly name: string }
  /** Has a recipient, but only its end shows whether it is a call. */
  | { readonly kind: "held" };

/** `recipients` are those that the conversation offers, such as `functions.get_weather`. */
export function createTranslator(recipients: ReadonlySet<string>): Translator {
  const kept: KeptMessage[] = [];
  let open: OpenMessage | undefined;
  let isOver = false;
  let logprobs: SampledLogprob[] = [];

  const takeLogprobs = (): { logprobs?: readonly SampledLogprob[] } => {
    if (logprobs.length === 0) return {};
    const taken = logprobs;
    logprobs = [];
    return { logprobs: taken };
  };

  const start = (event: MessageStart): AgentEvent[] => {
    logprobs = [];
    const hasCalled = kept.some((message) => message.kind === "tool-call");
    if (event.role !== "assistant" || (hasCalled && !isAddressed(event.recipient))) {
      isOver = true;
      return [discarded(event.role)];
    }
    open = openMessage(event, recipients);
    switch (open.kind) {
      case "held":
        return [];
      case "tool-call":
        return [{ type: "tool-call-start", id: open.id, name: open.name }];
      default:
        return [{ type: `${open.kind}-start` }];
    }
  };

  const delta = (message: OpenMessage, text: string): AgentEvent[] => {
    switch (message.kind) {
      case "held":
        return [];
      case "tool-call":
        return [{ type: "tool-call-delta", id: message.id, text }];
      default:
        return [{ type: `${message.kind}-delta`, text, ...takeLogprobs() }];
    }
  };

  const close = (message: OpenMessage, parsed: ParsedMessage, isComplete: boolean): AgentEvent[] => {
    open = undefined;
    const notes = parsed.notes.map((note): AgentEvent => ({ type: "note", note }));
    if (message.kind !== "held") return [...notes, ...closeAs(message, parsed, isComplete)];
    if (kept.some((earlier) => earlier.kind === "tool-call") && !isCall(parsed)) {
      isOver = true;
      return [...notes, discarded("assistant")];
    }
    const decided = isCall(parsed)
      ? newCall(parsed.message.recipient ?? "")
      : { kind: kindOf(parsed.message.channel) };
    const text = parsed.message.content;
    const begin: AgentEvent =
      decided.kind === "tool-call"
        ? { type: "tool-call-start", id: decided.id, name: decided.name }
        : { type: `${decided.kind}-start` };
    const body = text === "" ? [] : delta(decided, text);
    return [...notes, begin, ...body, ...closeAs(decided, parsed, isComplete)];
  };

  const closeAs = (
    message: Exclude<OpenMessage, { kind: "held" }>,
    parsed: ParsedMessage,
    isComplete: boolean,
  ): AgentEvent[] => {
    if (message.kind !== "tool-call") {
      const said = unaddressed(parsed.message as AssistantText);
      if (isComplete) kept.push({ kind: message.kind, parsed, message: said });
      return [{ type: `${message.kind}-end`, message: said, isComplete } as MessageEvent<MessageKind>];
    }
    const called = parsed.message as AssistantText;
    const call: ToolCall = {
      id: message.id,
      name: message.name,
      arguments: called.content,
      message: called,
    };
    if (isComplete) kept.push({ kind: "tool-call", parsed, message: called, call });
    return [{ type: "tool-call-end", call, isComplete }];
  };

  const handle = (event: HarmonyEvent, wasCutOff: boolean): AgentEvent[] => {
    if (isOver) return [];
    switch (event.type) {
      case "message-start":
        return start(event);
      case "text-delta":
        return open ? delta(open, event.text) : [];
      case "message-end":
        return open ? close(open, event.parsed, !(wasCutOff && event.parsed.terminator === "eos")) : [];
      default:
        return event satisfies never;
    }
  };

  return {
    kept,
    get isOver() {
      return isOver;
    },
    add(events, logprob) {
      // A token that opens or closes a message has no text of its own.
      if (logprob && events.every((event) => event.type === "text-delta")) logprobs.push(logprob);
      return events.flatMap((event) => handle(event, false));
    },
    end: (events, wasCutOff) => events.flatMap((event) => handle(event, wasCutOff)),
  };
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

function newCall(recipient: string): {
  readonly kind: "tool-call";
  readonly id: string;
  readonly name: string;
} {
  const name = recipient.startsWith(functionPrefix) ? recipient.slice(functionPrefix.length) : recipient;
  return { kind: "tool-call", id: `call_${crypto.randomUUID().replaceAll("-", "")}`, name };
}

/** Text without a channel is shown: an answer that lost its header is still an answer. */
function kindOf(channel: string | undefined): MessageKind {
  if (channel === "analysis") return "reasoning";
  return channel === "commentary" ? "preamble" : "text";
}

const discarded = (role: Role): AgentEvent => ({ type: "note", note: { kind: "message-discarded", role } });
