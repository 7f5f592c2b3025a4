// Which old reasoning a prompt leaves out. OpenAI's written rule (harmony docs/format.md; cookbook, "How to
// handle the raw chain of thought"): once a turn came to a final answer, its analysis is dropped from later
// prompts; while the assistant is still calling tools, the analysis since the last final answer stays. The
// official library does something else: it drops only what precedes the first final message, and nothing at
// all if the last assistant message is a call.

import type { Conversation, Message } from "./conversation.ts";

/**
 * The conversation without the analysis before the last final answer, and without the answers of tools that
 * were called in that analysis and carry no channel of their own: an answer to a call that is gone would
 * dangle.
 *
 * @param end only final answers before this index count.
 */
export function withoutFinishedAnalysis(conversation: Conversation, end: number): Message[] {
  const lastFinal = conversation.findLastIndex(
    ({ role, channel }, index) => index < end && role === "assistant" && channel === "final",
  );
  let droppedCall: string | undefined;
  return conversation.filter((message, index) => {
    if (index >= lastFinal) return true;
    const isAnalysis = message.channel === "analysis";
    if (message.role === "assistant") droppedCall = isAnalysis ? message.recipient : undefined;
    const dangles = message.role === "tool" && message.channel === undefined && message.name === droppedCall;
    return !isAnalysis && !dangles;
  });
}
