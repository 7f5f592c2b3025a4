// Not streaming is a fold of the stream: an answer is built from events and from nothing else.

import type { Message } from "../harmony/index.ts";
import {
  type AgentEvent,
  type NoteEvent,
  noUsage,
  type RunFinishReason,
  type ToolCall,
  type Usage,
} from "./events.ts";

/** What a run came to. */
export interface Answer {
  /** The final channel. */
  readonly text: string;
  /** The analysis channel, its messages separated by blank lines. Not meant for end users. */
  readonly reasoning: string;
  readonly finishReason: RunFinishReason;
  readonly usage: Usage;
  /** What to append to the conversation: every complete message of the run, and the final message even if cut off. */
  readonly messages: readonly Message[];
  /** All calls, answered or not. */
  readonly toolCalls: readonly ToolCall[];
  /** Calls that the caller has to answer: append `messages` and a result for each, and ask again. */
  readonly pendingCalls: readonly ToolCall[];
  /** As sampled, over all turns, stop tokens included. */
  readonly tokens: readonly number[];
  readonly notes: readonly NoteEvent["note"][];
}

export interface Fold {
  add(event: AgentEvent): void;
  /** What has been added so far; a run that did not end counts as aborted. */
  answer(): Answer;
}

export function createFold(): Fold {
  let text = "";
  let reasoning = "";
  const messages: Message[] = [];
  const toolCalls: ToolCall[] = [];
  const tokens: number[] = [];
  const notes: NoteEvent["note"][] = [];
  let end: Extract<AgentEvent, { type: "run-end" }> | undefined;

  const add = (event: AgentEvent): void => {
    switch (event.type) {
      case "text-delta":
        text += event.text;
        break;
      case "text-end":
        messages.push(event.message);
        break;
      case "reasoning-start":
        if (reasoning !== "") reasoning += "\n\n";
        break;
      case "reasoning-delta":
        reasoning += event.text;
        break;
      case "reasoning-end":
        if (event.isComplete) messages.push(event.message);
        break;
      case "preamble-end":
        if (event.isComplete) messages.push(event.message);
        break;
      case "tool-call-end":
        if (!event.isComplete) break;
        toolCalls.push(event.call);
        messages.push(event.call.message);
        break;
      case "tool-result":
        messages.push(event.message);
        break;
      case "note":
        notes.push(event.note);
        break;
      case "turn-end":
        for (const token of event.tokens) tokens.push(token);
        break;
      case "run-end":
        end = event;
        break;
      case "turn-start":
      case "preamble-start":
      case "preamble-delta":
      case "text-start":
      case "tool-call-start":
      case "tool-call-delta":
        break;
      default:
        event satisfies never;
    }
  };

  const answer = (): Answer => ({
    text,
    reasoning,
    finishReason: end?.finishReason ?? "aborted",
    usage: end?.usage ?? noUsage,
    messages: [...messages],
    toolCalls: [...toolCalls],
    pendingCalls: end?.pendingCalls ?? [],
    tokens: [...tokens],
    notes: [...notes],
  });
  return { add, answer };
}

/** Waits for the run and gives what it came to. */
export async function fold(events: AsyncIterable<AgentEvent>): Promise<Answer> {
  const folded = createFold();
  for await (const event of events) folded.add(event);
  return folded.answer();
}
