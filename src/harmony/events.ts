// What the parser says: three events per message, and notes on what was odd. The parser is total, so there is
// no error among these types: whatever a model samples is some list of messages, and a note where it was
// repaired.

import type { TokenId } from "../tokenizer/index.ts";
import type {
  AssistantMessage,
  Channel,
  DeveloperMessage,
  Message,
  Role,
  SystemMessage,
  ToolMessage,
  UserMessage,
} from "./conversation.ts";

/**
 * `index` counts the messages of one parser from 0. Each message is one start, any number of deltas, one end.
 */
export type HarmonyEvent = MessageStart | TextDelta | MessageEnd;

/** The header is complete; nothing in it changes any more. */
export interface MessageStart {
  readonly type: "message-start";
  readonly index: number;
  readonly role: Role;
  readonly name?: string;
  readonly channel?: Channel | (string & {});
  readonly recipient?: string;
  readonly contentType?: string;
}

/** Never empty, never half a character. The deltas of a message concatenate to exactly its text. */
export interface TextDelta {
  readonly type: "text-delta";
  readonly index: number;
  readonly text: string;
}

export interface MessageEnd {
  readonly type: "message-end";
  readonly index: number;
  readonly parsed: ParsedMessage;
}

/** Text messages only: structured system and developer content reads back as text. */
export type TextMessage =
  | (SystemMessage & { readonly content: string })
  | (DeveloperMessage & { readonly content: string })
  | (UserMessage & { readonly content: string })
  | (AssistantMessage & { readonly content: string })
  | (ToolMessage & { readonly content: string });

/**
 * What ended a message: the token of that name; `eos` for `<|endoftext|>` or the end of the tokens;
 * `implicit` when the next message simply began.
 */
export type Terminator = "end" | "return" | "call" | "eos" | "implicit";

export interface ParsedMessage {
  readonly message: TextMessage & Message;
  readonly terminator: Terminator;
  /** Every token from the first of its header to its terminator, as they came. */
  readonly tokens: readonly TokenId[];
  /** What was odd in this message; empty for a well-formed one. */
  readonly notes: readonly Note[];
}

/**
 * Something a well-formed rendering does not have, and how it was read. `at` is the index of the token, from
 * 0.
 */
export type Note = { readonly at: number } & (
  | { readonly kind: "missing-start" }
  /** `<|start|>` came twice, or inside a header; `text` was the abandoned header. */
  | { readonly kind: "repeated-start"; readonly text: string }
  | { readonly kind: "missing-role" }
  /** A completion of the assistant went on to speak for somebody else. */
  | { readonly kind: "unexpected-role"; readonly role: Role }
  /** `<|channel|>` without a name after it. */
  | { readonly kind: "missing-channel" }
  | { readonly kind: "unknown-channel"; readonly channel: string; readonly readAs: Channel }
  | { readonly kind: "repeated-channel"; readonly channel: string }
  /** Not among the tools that the parser was told of; kept as it is. */
  | { readonly kind: "unknown-recipient"; readonly recipient: string }
  | { readonly kind: "renamed-recipient"; readonly recipient: string; readonly readAs: string }
  /** Words in a header that mean nothing there; ignored. */
  | { readonly kind: "header-junk"; readonly text: string }
  /** The header never came to `<|message|>`; `text` is what became the message's text. */
  | { readonly kind: "unfinished-header"; readonly text: string }
  /** The next header began before any terminator. */
  | { readonly kind: "unterminated-message" }
  /** A control token inside a text, kept as its text. */
  | { readonly kind: "control-in-text"; readonly token: TokenId; readonly text: string }
  /** A control token between messages; ignored. */
  | { readonly kind: "stray-token"; readonly token: TokenId; readonly text: string }
  /** An id that is not in the vocabulary; its text is U+FFFD. */
  | { readonly kind: "unknown-token"; readonly token: TokenId }
);

export type NoteKind = Note["kind"];
