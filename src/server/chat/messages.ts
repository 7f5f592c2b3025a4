// The messages of a chat as what was said. Chat clients keep a call, its reasoning and the text before it in one message;
// the model sees them as messages of their own.

import { HttpError, invalidValue } from "../errors.ts";
import { contentText, type MediaPolicy, type Said } from "../prompt/index.ts";
import type { ChatMessage } from "./request.ts";

export interface ChatHistory {
  readonly said: readonly Said[];
  /** Of an answer that the client has begun and the model continues. */
  readonly answerStart: string | undefined;
}

export function historyOf(messages: readonly ChatMessage[], media: MediaPolicy): ChatHistory {
  const said = messages.flatMap((message, index) => saidIn(message, { index, messages, media }));
  const last = messages.at(-1);
  if (last?.role !== "assistant") return { said, answerStart: undefined };
  const end = said.at(-1);
  if (end?.type !== "answer" || end.isPreamble) {
    throw invalidValue(
      `messages[${messages.length - 1}]`,
      "The last message is the assistant's, and has no text to continue: give the results of its calls, or a user's message.",
    );
  }
  return { said: said.slice(0, -1), answerStart: end.text };
}

interface Place {
  readonly index: number;
  readonly messages: readonly ChatMessage[];
  readonly media: MediaPolicy;
}

function saidIn(message: ChatMessage, place: Place): Said[] {
  const { index, media } = place;
  const param = `messages[${index}].content`;
  const text = contentText(message.content, { media, param });
  switch (message.role) {
    case "system":
    case "developer":
      return [{ type: "developer", text }];
    case "user":
      return [{ type: "user", text }];
    case "assistant":
      return saidByAssistant(message, text, index);
    case "tool":
      return [
        {
          type: "result",
          callId: message.tool_call_id,
          output: text,
          param: `messages[${index}].tool_call_id`,
        },
      ];
    case "function":
      return [{ type: "result", callId: legacyCall(message.name, place), output: text, param }];
    default:
      return message satisfies never;
  }
}

type Assistant = Extract<ChatMessage, { role: "assistant" }>;

function saidByAssistant(message: Assistant, text: string, index: number): Said[] {
  const { refusal, tool_calls: toolCalls, function_call: functionCall } = message;
  const thought = message.reasoning ?? message.reasoning_content ?? message.thinking ?? "";
  const calls = (toolCalls ?? []).map(({ id, function: { name, arguments: args } }) => ({ id, name, args }));
  if (functionCall) {
    calls.push({ id: legacyCallId(index), name: functionCall.name, args: functionCall.arguments });
  }
  const shown = text === "" ? (refusal ?? "") : text;
  const hasText = shown !== "" || (calls.length === 0 && message.content === "");
  return [
    ...(thought === "" ? [] : [{ type: "reasoning", text: thought } as const]),
    ...(hasText ? [{ type: "answer", text: shown, isPreamble: calls.length > 0 } as const] : []),
    ...calls.map(({ id, name, args }) => ({ type: "call", callId: id, name, arguments: args }) as const),
  ];
}

const legacyCallId = (index: number): string => `messages[${index}]`;

/** Messages of the role `function` name no call: it is the last one of that name. */
function legacyCall(name: string, { index, messages }: Place): string {
  const at = messages.findLastIndex(
    (message, earlier) =>
      earlier < index && message.role === "assistant" && message.function_call?.name === name,
  );
  if (at >= 0) return legacyCallId(at);
  throw new HttpError(400, {
    code: "invalid_function_call_output",
    param: `messages[${index}].name`,
    message: `There is no function_call of '${name.slice(0, 100)}' before this message.`,
  });
}
