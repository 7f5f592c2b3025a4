// `truncation: "auto"`: a conversation that is too long loses its oldest turns. What developers said stays, and so does
// everything from the last question on.

import { type AgentRequest, openPrompt } from "../../agent/index.ts";
import type { Conversation } from "../../harmony/index.ts";
import type { ServedModel } from "../context.ts";

/** Of the context, what is kept free for the answer. */
const answerShare = 8;

/** The request, with as few turns left out as possible; where one question is too long, it stays too long. */
export function withoutOldTurns<Request extends AgentRequest>(model: ServedModel, request: Request): Request {
  const { contextLength } = model.engine;
  const share = Math.ceil(contextLength / answerShare);
  const room = contextLength - Math.min(request.maxTokens ?? share, share);
  const fits = (from: number): boolean => {
    const messages = messagesFrom(request.messages, from);
    return openPrompt(model.tokenizer, { ...request, messages }).tokens.length <= room;
  };
  const starts = turnStarts(request.messages);
  if (starts.length === 0 || fits(0)) return request;
  // The first start from which the rest fits; the fewer messages, the fewer tokens.
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (fits(starts[middle])) high = middle;
    else low = middle + 1;
  }
  return { ...request, messages: messagesFrom(request.messages, starts[low]) };
}

/** Where a user speaks after somebody else. */
function turnStarts(messages: Conversation): number[] {
  return [...messages.keys()].filter(
    (index) => messages[index].role === "user" && messages[index - 1]?.role !== "user",
  );
}

const messagesFrom = (messages: Conversation, from: number): Conversation =>
  messages.filter(({ role }, index) => index >= from || role === "developer" || role === "system");
