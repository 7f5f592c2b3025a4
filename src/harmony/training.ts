// Conversations as training examples: the tokens, and which of them the model has to learn to produce.

import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import type { Conversation } from "./conversation.ts";
import { lastTurn, type RenderOptions, renderMessages, roleTokens } from "./render.ts";
import { withoutFinishedAnalysis } from "./retention.ts";

export interface TrainingOptions extends RenderOptions {
  /**
   * Whose tokens are targets: the messages of the `last-turn` (default), or of `every-turn`. Earlier turns
   * were rendered without their reasoning, so learning them teaches to answer without any.
   */
  readonly learn?: "last-turn" | "every-turn";
}

export interface TrainingRendering {
  readonly tokens: TokenId[];
  /** For each token, whether the model has to learn to produce it. */
  readonly learn: boolean[];
}

/**
 * A conversation as a training example: as `renderConversation` has it, but a last message on the final
 * channel ends in `<|return|>`.
 *
 * @example
 * const { tokens, learn } = renderForTraining(conversation, tokenizer);
 * const targets = tokens.filter((_, index) => learn[index]);
 */
export function renderForTraining(
  conversation: Conversation,
  tokenizer: Tokenizer,
  options: TrainingOptions = {},
): TrainingRendering {
  const turnStart = lastTurn(conversation);
  const kept = options.analysis === "keep" ? conversation : withoutFinishedAnalysis(conversation, turnStart);
  const messages = renderMessages(kept, tokenizer, { ...options, analysis: "keep" }, turnStart);
  // The last turn is kept whole, so it is as long as it was.
  const firstTarget = options.learn === "every-turn" ? 0 : kept.length - (conversation.length - turnStart);
  const learn = kept.map(({ role }, index) => {
    const tokens = messages[index];
    const isFinal = isFinalAnswer(kept, index);
    const isLast = index === kept.length - 1;
    if (isFinal && isLast) tokens[tokens.length - 1] = tokenizer.special.return;
    const mask = tokens.map(() => role === "assistant" && index >= firstTarget);
    if (!goesOn(kept, index)) mask.fill(false, 0, 1 + roleTokens(kept[index], tokenizer).length);
    // History ends an answer with `<|end|>`, but where the model wrote it, it had to stop.
    if (isFinal && !isLast) mask[mask.length - 1] = false;
    return mask;
  });
  return { tokens: messages.flat(), learn: learn.flat() };
}

function isFinalAnswer(messages: Conversation, index: number): boolean {
  return messages[index].role === "assistant" && messages[index].channel === "final";
}

/** Whether the model itself wrote `<|start|>assistant`, after `<|end|>`; otherwise it stood in the prompt. */
function goesOn(messages: Conversation, index: number): boolean {
  if (index === 0) return false;
  const { role, recipient } = messages[index - 1];
  return role === "assistant" && recipient === undefined && !isFinalAnswer(messages, index - 1);
}
