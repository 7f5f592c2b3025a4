// What a model sampled, as messages that later prompts can contain, with the tokens to write them with.

import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import type { AssistantMessage, Message } from "./conversation.ts";
import type { ParsedMessage } from "./events.ts";
import { assistantStart, terminatorOf } from "./render.ts";

export interface SampledHistory {
  readonly messages: readonly (AssistantMessage & { readonly content: string })[];
  /**
   * For `RenderOptions.sampled`: the messages' tokens as they were sampled, `<|return|>` replaced by
   * `<|end|>`.
   */
  readonly sampled: ReadonlyMap<Message, readonly TokenId[]>;
}

/**
 * The messages to append to a conversation after sampling. Rendering them with their sampled tokens keeps the
 * prompt's prefix, and so a cache of it, valid: text encoded anew may come out in other tokens. A message
 * that the parser had to repair is rendered anew, in its repaired form. Whatever follows a message in
 * somebody else's name is left out: the model made it up.
 *
 * @example
 * const { messages, sampled } = sampledHistory(parser.messages, tokenizer);
 * const prompt = renderForCompletion([...conversation, ...messages, toolAnswer], tokenizer, { sampled });
 */
export function sampledHistory(parsed: readonly ParsedMessage[], tokenizer: Tokenizer): SampledHistory {
  const messages: (AssistantMessage & { readonly content: string })[] = [];
  const sampled = new Map<Message, readonly TokenId[]>();
  for (const { message, terminator, tokens, notes } of parsed) {
    if (message.role !== "assistant") break;
    messages.push(message);
    if (notes.length > 0) continue;
    const start = tokens[0] === tokenizer.special.start ? [] : assistantStart(tokenizer);
    const isEnded = terminator === "end" || terminator === "call";
    const body = isEnded || tokens.at(-1) === undefined ? tokens : withoutTerminator(tokens, tokenizer);
    sampled.set(message, [...start, ...body, ...(isEnded ? [] : [terminatorOf(message, tokenizer)])]);
  }
  return { messages, sampled };
}

function withoutTerminator(tokens: readonly TokenId[], { special }: Tokenizer): readonly TokenId[] {
  const last = tokens.at(-1);
  return last === special.return || last === special.endoftext ? tokens.slice(0, -1) : tokens;
}
