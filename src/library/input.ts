// What callers write, as a harmony conversation: a string, or a list of messages as chat APIs have them.

import { GptOssError } from "../base/index.ts";
import type { Conversation, Message } from "../harmony/index.ts";

/**
 * A question, or a conversation, oldest message first. Plain text in a system or developer message is taken as
 * instructions, which is what other APIs call a system prompt; text of the assistant without a channel as its answer.
 * Content as a list, such as `["You are…"]`, is left as it is.
 */
export type Input = string | Conversation;

export function toConversation(input: Input): Message[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (!Array.isArray(input) || input.length === 0) {
    throw new GptOssError("library/bad-option", {
      message: "the input is neither a text nor a list of messages",
      hint: 'for example "What is 47 + 85?" or [{ role: "user", content: "What is 47 + 85?" }]',
    });
  }
  return input.map(toMessage);
}

function toMessage(message: Message): Message {
  switch (message?.role) {
    case "system":
    case "developer":
      if (typeof message.content !== "string") return message;
      return { role: "developer", content: { instructions: message.content } };
    case "assistant":
      return message.channel === undefined && message.recipient === undefined
        ? { ...message, channel: "final" }
        : message;
    case "user":
    case "tool":
      return message;
    default:
      message satisfies never;
      throw new GptOssError("harmony/bad-conversation", {
        message: `a message needs a role; found ${JSON.stringify((message as { role?: unknown } | undefined)?.role)}`,
        hint: "roles are system, developer, user, assistant and tool",
      });
  }
}
