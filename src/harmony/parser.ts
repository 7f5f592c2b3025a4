// Tokens → messages, one token at a time. Total: every sequence of tokens is some list of messages, with
// notes on what was odd; nothing here throws. Owns the three states (between messages, in a header, in a
// text) and what each control token does in them; what a header's words mean is header.ts.

import type { StreamDecoder, TokenId, Tokenizer } from "../tokenizer/index.ts";
import type { HarmonyEvent, MessageStart, Note, ParsedMessage, Terminator, TextMessage } from "./events.ts";
import {
  type Header,
  type HeaderContext,
  type NoteBody,
  readHeader,
  readUnfinishedHeader,
} from "./header.ts";
import { type RecipientResolver, recipientResolver } from "./recipients.ts";

export interface ParserOptions {
  /**
   * What can be called, as `toolRecipients` gives it: then names are repaired that a model spells slightly
   * wrong, unknown ones are noted, and stray words in a header are not taken for recipients.
   */
  readonly recipients?: readonly string[];
}

export interface Parser {
  /** What this token made certain, in order; often nothing. Tokens after `finish` begin a new message. */
  push(token: TokenId): HarmonyEvent[];
  /**
   * There are no more tokens: ends an open message, and turns an unfinished header into one if it holds any
   * text.
   */
  finish(): HarmonyEvent[];
  /** The messages that have ended. */
  readonly messages: readonly ParsedMessage[];
  /** Everything odd so far, also between messages. Empty for well-formed tokens. */
  readonly notes: readonly Note[];
}

/**
 * Parses what a model samples after `<|start|>assistant` (push a prefill's tokens first), or, if the first
 * token is `<|start|>`, a whole rendering.
 *
 * @example
 * const parser = createParser(tokenizer, { recipients: toolRecipients(conversation) });
 * for (const token of sampled) {
 *   for (const event of parser.push(token)) if (event.type === "text-delta") process.stdout.write(event.text);
 * }
 * parser.finish();
 * const answer = parser.messages.find(({ message }) => message.channel === "final")?.message.content;
 */
export function createParser(tokenizer: Tokenizer, options: ParserOptions = {}): Parser {
  const machine: Machine = {
    tokenizer,
    resolve: options.recipients && recipientResolver(options.recipients),
    state: headerState(tokenizer, { isImplied: true }),
    count: 0,
    isCompletion: true,
    lastChannel: undefined,
    tokens: [],
    messageNotes: [],
    messages: [],
    notes: [],
    events: [],
  };
  return {
    push(token) {
      step(machine, token);
      machine.count++;
      return takeEvents(machine);
    },
    finish() {
      end(machine, "eos");
      return takeEvents(machine);
    },
    messages: machine.messages,
    notes: machine.notes,
  };
}

/**
 * Parses tokens all at once; the same messages as token by token.
 *
 * @example
 * const { messages, notes } = parseTokens(sampled, tokenizer);
 */
export function parseTokens(
  tokens: Iterable<TokenId>,
  tokenizer: Tokenizer,
  options: ParserOptions = {},
): { messages: readonly ParsedMessage[]; notes: readonly Note[] } {
  const parser = createParser(tokenizer, options);
  for (const token of tokens) parser.push(token);
  parser.finish();
  return { messages: parser.messages, notes: parser.notes };
}

interface Machine {
  readonly tokenizer: Tokenizer;
  readonly resolve: RecipientResolver | undefined;
  state: State;
  /** Tokens so far. */
  count: number;
  /**
   * Whether the first message's role was given by the prompt, so that every message should be the
   * assistant's.
   */
  isCompletion: boolean;
  /** Of the assistant's last message: where text goes that came without any header. */
  lastChannel: string | undefined;
  /** Of the message at hand. */
  tokens: TokenId[];
  messageNotes: Note[];
  readonly messages: ParsedMessage[];
  readonly notes: Note[];
  events: HarmonyEvent[];
}

type State = { readonly kind: "between" } | HeaderState | TextState;

interface HeaderState {
  readonly kind: "header";
  /** The prompt ended in `<|start|>assistant`. */
  readonly isImplied: boolean;
  /** There was no `<|start|>`. */
  readonly isStray: boolean;
  readonly decoder: StreamDecoder;
  text: string;
}

interface TextState {
  readonly kind: "text";
  readonly index: number;
  readonly header: Header;
  readonly decoder: StreamDecoder;
  /** The header never came to `<|message|>`, so a `<|message|>` may still follow. */
  readonly isUnannounced: boolean;
  text: string;
}

function headerState(tokenizer: Tokenizer, { isImplied = false, isStray = false } = {}): HeaderState {
  return { kind: "header", isImplied, isStray, decoder: tokenizer.streamDecoder(), text: "" };
}

function takeEvents(machine: Machine): HarmonyEvent[] {
  const { events } = machine;
  machine.events = [];
  return events;
}

function note(machine: Machine, body: NoteBody): void {
  const entry = { at: machine.count, ...body } as Note;
  machine.notes.push(entry);
  machine.messageNotes.push(entry);
}

function step(machine: Machine, token: TokenId): void {
  const { state } = machine;
  switch (state.kind) {
    case "between":
      stepBetween(machine, token);
      break;
    case "header":
      stepHeader(machine, state, token);
      break;
    case "text":
      stepText(machine, state, token);
      break;
    default:
      state satisfies never;
  }
}

function terminatorOf(tokenizer: Tokenizer, token: TokenId): Terminator | undefined {
  const { special } = tokenizer;
  if (token === special.end) return "end";
  if (token === special.return) return "return";
  if (token === special.call) return "call";
  return token === special.endoftext ? "eos" : undefined;
}

function stepBetween(machine: Machine, token: TokenId): void {
  const { tokenizer } = machine;
  if (token === tokenizer.special.start) beginHeader(machine, token);
  else if (terminatorOf(tokenizer, token) !== undefined || token === tokenizer.special.startoftext)
    note(machine, { kind: "stray-token", token, text: tokenizer.decode([token]) });
  else {
    machine.messageNotes = [];
    note(machine, { kind: "missing-start" });
    continueAsHeader(machine, headerState(tokenizer, { isStray: true }), token);
  }
}

/** After `<|start|>`. */
function beginHeader(machine: Machine, start: TokenId): void {
  machine.tokens = [start];
  machine.messageNotes = [];
  machine.state = headerState(machine.tokenizer);
}

/** `token` is already of the header, because its `<|start|>` is missing. */
function continueAsHeader(machine: Machine, state: HeaderState, token: TokenId): void {
  machine.tokens = [];
  machine.state = state;
  stepHeader(machine, state, token);
}

function stepHeader(machine: Machine, state: HeaderState, token: TokenId): void {
  const { special } = machine.tokenizer;
  const terminator = terminatorOf(machine.tokenizer, token);
  if (token === special.start) {
    if (machine.count === 0) machine.isCompletion = false;
    else abandonHeader(machine, state);
    beginHeader(machine, token);
    return;
  }
  machine.tokens.push(token);
  if (terminator !== undefined) endUnfinishedHeader(machine, state, terminator);
  else if (token === special.message) {
    state.text += state.decoder.flush();
    beginText(machine, readHeader(state.text, headerContext(machine, state)), state);
  } else {
    noteUnknown(machine, token);
    state.text = (state.text + state.decoder.push(token)).trimStart();
    if (isTooLong(state.text)) beginUnannouncedText(machine, state);
  }
}

// No header that means anything is longer; text that is must not wait for a `<|message|>` that will never
// come.
function isTooLong(header: string): boolean {
  return header.length > 512 || header.trimEnd().split(/\s+/, 9).length > 8;
}

function beginUnannouncedText(machine: Machine, state: HeaderState): void {
  const { header, text } = readUnfinishedHeader(state.text, headerContext(machine, state));
  note(machine, { kind: "unfinished-header", text });
  emitText(machine, beginText(machine, header, state, { isUnannounced: true }), text);
}

/** `<|start|>` inside a header: what the header held is a message only if some of it was text. */
function abandonHeader(machine: Machine, state: HeaderState): void {
  state.text += state.decoder.flush();
  const isBlankBetweenMessages = state.isStray && state.text === "";
  if (!isBlankBetweenMessages) endUnfinishedHeader(machine, state, "implicit");
}

function headerContext(machine: Machine, state: HeaderState): HeaderContext {
  return {
    impliedRole: state.isImplied ? "assistant" : undefined,
    isStray: state.isStray,
    resolve: machine.resolve,
    note: (body) => note(machine, body),
  };
}

function noteUnknown(machine: Machine, token: TokenId): void {
  if (machine.tokenizer.bytes(token) === undefined) note(machine, { kind: "unknown-token", token });
}

function beginText(
  machine: Machine,
  header: Header,
  { isStray, decoder }: HeaderState,
  { isUnannounced = false } = {},
): TextState {
  const isUnaddressed = header.channel === undefined && header.recipient === undefined;
  if (isStray && header.role === "assistant" && isUnaddressed && machine.lastChannel !== undefined)
    header.channel = machine.lastChannel;
  if (machine.isCompletion && header.role !== "assistant")
    note(machine, { kind: "unexpected-role", role: header.role });
  const index = machine.messages.length;
  const state: TextState = { kind: "text", index, header, decoder, isUnannounced, text: "" };
  machine.state = state;
  machine.events.push({ type: "message-start", index, ...header } as MessageStart);
  return state;
}

function emitText(machine: Machine, state: TextState, text: string): void {
  if (text === "") return;
  state.text += text;
  machine.events.push({ type: "text-delta", index: state.index, text });
}

function stepText(machine: Machine, state: TextState, token: TokenId): void {
  const { special } = machine.tokenizer;
  const terminator = terminatorOf(machine.tokenizer, token);
  if (terminator !== undefined) {
    machine.tokens.push(token);
    endText(machine, state, terminator);
  } else if (token === special.start || token === special.channel) {
    // The model forgot to end the message: a text that was encoded as text cannot contain these two.
    note(machine, { kind: "unterminated-message" });
    endText(machine, state, "implicit");
    const isImplied = state.header.role === "assistant";
    if (token === special.start) beginHeader(machine, token);
    else continueAsHeader(machine, headerState(machine.tokenizer, { isImplied }), token);
  } else {
    machine.tokens.push(token);
    addText(machine, state, token);
  }
}

function addText(machine: Machine, state: TextState, token: TokenId): void {
  const { tokenizer } = machine;
  if (tokenizer.isSpecial(token)) {
    const text = tokenizer.decode([token]);
    const isLate = state.isUnannounced && token === tokenizer.special.message;
    note(machine, { kind: isLate ? "stray-token" : "control-in-text", token, text });
    if (isLate) return;
  } else noteUnknown(machine, token);
  emitText(machine, state, state.decoder.push(token));
}

function end(machine: Machine, terminator: Terminator): void {
  const { state } = machine;
  if (state.kind === "text") endText(machine, state, terminator);
  else if (state.kind === "header" && machine.tokens.length > 0)
    endUnfinishedHeader(machine, state, terminator);
  machine.state = { kind: "between" };
}

function endText(machine: Machine, state: TextState, terminator: Terminator): void {
  emitText(machine, state, state.decoder.flush());
  const { index, header, text } = state;
  const message = { ...header, content: text } as TextMessage;
  const parsed: ParsedMessage = { message, terminator, tokens: machine.tokens, notes: machine.messageNotes };
  machine.messages.push(parsed);
  machine.events.push({ type: "message-end", index, parsed });
  if (header.role === "assistant") machine.lastChannel = header.channel;
  machine.state = { kind: "between" };
  machine.tokens = [];
  machine.messageNotes = [];
}

/**
 * Text among the header's words becomes the message's text. Without any, an explicit end still ends a
 * message, such as the call of a function without arguments; the end of the tokens, or another header, does
 * not.
 */
function endUnfinishedHeader(machine: Machine, state: HeaderState, terminator: Terminator): void {
  state.text += state.decoder.flush();
  const { header, text: untrimmed } = readUnfinishedHeader(state.text, headerContext(machine, state));
  const text = untrimmed.trimEnd();
  const saysSomething = header.channel !== undefined || header.recipient !== undefined;
  const isExplicit = terminator !== "implicit" && terminator !== "eos";
  const isMessage = text !== "" || (isExplicit && saysSomething);
  if (terminator === "implicit") note(machine, { kind: "repeated-start", text: state.text });
  // A prompt for completion ends in `<|start|>assistant`: nothing odd about that.
  else if (isMessage || saysSomething || terminator !== "eos")
    note(machine, { kind: "unfinished-header", text });
  if (!isMessage) {
    machine.state = { kind: "between" };
    return;
  }
  const begun = beginText(machine, header, state);
  emitText(machine, begun, text);
  endText(machine, begun, terminator);
}
