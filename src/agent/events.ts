// What a run says while it happens: one discriminated union, named noun-verb, in which everything that streams has a
// start, deltas that concatenate to exactly the final text, and an end. The server and the command line only fold it.

import type { FinishReason, TokenLogprob } from "../engine/index.ts";
import type { AssistantMessage, Note, Role, ToolMessage } from "../harmony/index.ts";

/**
 * A run is one or more turns; a turn is what the model samples until it stops. The results of its calls follow its end.
 * Messages do not overlap: after a start come only that message's deltas, and notes, until its end.
 */
export type AgentEvent =
  | TurnStart
  | MessageEvent<"reasoning">
  | MessageEvent<"preamble">
  | MessageEvent<"text">
  | ToolCallStart
  | ToolCallDelta
  | ToolCallEnd
  | ToolResult
  | NoteEvent
  | TurnEnd
  | RunEnd;

export interface TurnStart {
  readonly type: "turn-start";
  /** From 0. */
  readonly turn: number;
  readonly promptTokens: number;
}

export type AssistantText = AssistantMessage & { readonly content: string };

/**
 * `reasoning` is the analysis channel, not for end users; `preamble` is commentary that is, such as a plan before tool
 * calls; `text` is the answer.
 */
export type MessageKind = "reasoning" | "preamble" | "text";

export type MessageEvent<Kind extends MessageKind> =
  | { readonly type: `${Kind}-start` }
  | {
      readonly type: `${Kind}-delta`;
      readonly text: string;
      /** Of the tokens behind this text, when asked for. */
      readonly logprobs?: readonly SampledLogprob[];
    }
  | {
      readonly type: `${Kind}-end`;
      readonly message: AssistantText;
      /** False when the run was cut off inside this message. */
      readonly isComplete: boolean;
    };

export interface SampledLogprob extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

export interface ToolCallStart {
  readonly type: "tool-call-start";
  readonly id: string;
  /** A function's name; for other recipients the whole recipient, such as `browser.search`. */
  readonly name: string;
}

export interface ToolCallDelta {
  readonly type: "tool-call-delta";
  readonly id: string;
  readonly text: string;
}

export interface ToolCallEnd {
  readonly type: "tool-call-end";
  readonly call: ToolCall;
  /** False when the run was cut off inside the arguments; such a call is neither run nor pending. */
  readonly isComplete: boolean;
}

export interface ToolCall {
  /** Unique everywhere. */
  readonly id: string;
  readonly name: string;
  /** As sampled: usually JSON, but whatever the model wrote. */
  readonly arguments: string;
  readonly message: AssistantText;
}

export interface ToolResult {
  readonly type: "tool-result";
  readonly id: string;
  readonly name: string;
  readonly output: string;
  readonly isError: boolean;
  readonly message: ToolMessage;
}

/** Something odd that was repaired; nothing for users, something for logs. */
export interface NoteEvent {
  readonly type: "note";
  readonly note: Note | AgentNote;
}

export type AgentNote =
  /** The model went on to speak for somebody else, or to answer its own calls; that was dropped. */
  | { readonly kind: "message-discarded"; readonly role: Role }
  /** The next turn begins inside the final channel: turns ran out, or a turn ended in nothing but thoughts. */
  | { readonly kind: "answer-forced"; readonly reason: "turn-limit" | "no-answer" };

export interface TurnEnd {
  readonly type: "turn-end";
  readonly finishReason: FinishReason;
  /** Of this turn. */
  readonly usage: Usage;
  /** As sampled, the stop token included. */
  readonly tokens: readonly number[];
}

/** Always the last event, unless the run throws. */
export interface RunEnd {
  readonly type: "run-end";
  readonly finishReason: RunFinishReason;
  /** Of all turns together. */
  readonly usage: Usage;
  /** Calls without a result, for the caller to answer; empty unless `finishReason` is `tool-calls`. */
  readonly pendingCalls: readonly ToolCall[];
}

/** `tool-calls`: the model waits for results that the caller has to give. */
export type RunFinishReason = FinishReason | "tool-calls";

export interface Usage {
  readonly promptTokens: number;
  /** Of the prompt tokens, those that were not computed again. */
  readonly cachedTokens: number;
  /** Of the output tokens, those of the analysis channel. */
  readonly reasoningTokens: number;
  readonly outputTokens: number;
}

export const noUsage: Usage = { promptTokens: 0, cachedTokens: 0, reasoningTokens: 0, outputTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    outputTokens: a.outputTokens + b.outputTokens,
  };
}
