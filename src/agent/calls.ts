// The calls of one turn: which of them this run can answer, and their results as messages. Knows nothing of tokens.

import type { ToolMessage } from "../harmony/index.ts";
import type { ToolCall, ToolResult } from "./events.ts";
import { callTool, failure, type ToolOutput, type ToolSet } from "./tool.ts";

/** What the model may call, and what of it is implemented here. */
export interface ToolOffer {
  readonly tools: ToolSet;
  /** Everything the conversation offers, such as `functions.get_weather`. */
  readonly recipients: readonly string[];
}

/** Offered but not implemented: the caller has to answer it. */
export function isPending(call: ToolCall, { tools, recipients }: ToolOffer): boolean {
  return recipients.includes(call.message.recipient ?? "") && implementationOf(call, tools) === undefined;
}

/** Runs side by side what is implemented; results in the order of the calls, none for pending ones. Never throws. */
export async function answerCalls(
  calls: readonly ToolCall[],
  offer: ToolOffer,
  signal: AbortSignal | undefined,
): Promise<ToolResult[]> {
  const answered = calls.filter((call) => !isPending(call, offer));
  return Promise.all(answered.map(async (call) => resultOf(call, await answer(call, offer, signal))));
}

/** For calls that will not be run: a history with a call but no result misleads the model. */
export function refuseCalls(calls: readonly ToolCall[], reason: string): ToolResult[] {
  return calls.map((call) => resultOf(call, failure(reason)));
}

async function answer(
  call: ToolCall,
  offer: ToolOffer,
  signal: AbortSignal | undefined,
): Promise<ToolOutput> {
  const execute = implementationOf(call, offer.tools);
  if (!execute) {
    return failure(`unknown tool "${call.name}". Available: ${offer.recipients.join(", ") || "none"}`);
  }
  const never = new AbortController().signal;
  return callTool(execute, call.arguments, { callId: call.id, signal: signal ?? never });
}

function implementationOf(call: ToolCall, tools: ToolSet): ToolSet[string]["execute"] {
  return Object.hasOwn(tools, call.name) ? tools[call.name].execute : undefined;
}

function resultOf(call: ToolCall, { output, isError }: ToolOutput): ToolResult {
  return {
    type: "tool-result",
    id: call.id,
    name: call.name,
    output,
    isError,
    message: toolResult(call, output),
  };
}

/**
 * The message that answers a call, for calls that the caller runs: append it after the answer's own messages.
 *
 * @example
 * messages.push(...answer.messages);
 * for (const call of answer.pendingCalls) messages.push(toolResult(call, await run(call.name, call.arguments)));
 */
export function toolResult(call: ToolCall, output: string): ToolMessage {
  // The channel of the call: built-in tools are called, and answer, while the model thinks.
  const { recipient = call.name, channel = "commentary" } = call.message;
  return { role: "tool", name: recipient, recipient: "assistant", channel, content: output };
}
