// From the AI SDK's prompt to a harmony conversation: which part stands in which channel. Knows nothing of models;
// leaving out old thoughts is up to the renderer.

import type {
  LanguageModelV3FilePart,
  LanguageModelV3Message,
  LanguageModelV3Prompt,
  LanguageModelV3TextPart,
  LanguageModelV3ToolCallPart,
  LanguageModelV3ToolResultOutput,
  LanguageModelV3ToolResultPart,
  SharedV3Warning,
} from "@ai-sdk/provider";
import { GptOssError } from "../base/index.ts";
import type { AssistantMessage, DeveloperMessage, Message, ToolMessage } from "../harmony/index.ts";
import type { Memory } from "./memory.ts";
import { readMetadata } from "./metadata.ts";

export interface PromptOptions {
  readonly memory: Memory;
  warn(warning: SharedV3Warning): void;
}

/** Throws `ai-sdk/unsupported` for files that are no text. */
export function toConversation(prompt: LanguageModelV3Prompt, options: PromptOptions): Message[] {
  const { leading, rest } = splitLeading(prompt);
  const first = leading.length > 0 ? [developer(leading.join("\n\n"))] : [];
  return [...first, ...rest.flatMap((message) => toMessages(message, options))];
}

/** What the AI SDK calls system is a developer message here; harmony's own system message is the model's. */
const developer = (instructions: string): DeveloperMessage => ({
  role: "developer",
  content: { instructions },
});

function splitLeading(prompt: LanguageModelV3Prompt): { leading: string[]; rest: LanguageModelV3Prompt } {
  const end = prompt.findIndex(({ role }) => role !== "system");
  const count = end < 0 ? prompt.length : end;
  const leading = prompt
    .slice(0, count)
    .flatMap((message) => (message.role === "system" ? message.content : []));
  return { leading, rest: prompt.slice(count) };
}

function toMessages(message: LanguageModelV3Message, options: PromptOptions): Message[] {
  switch (message.role) {
    case "system":
      return [developer(message.content)];
    case "user":
      return [{ role: "user", content: message.content.map(userText).join("\n") }];
    case "assistant":
      return assistantMessages(message.content, options);
    case "tool":
      // Approvals concern tools that a provider runs; this one runs none.
      return message.content.flatMap((part) =>
        part.type === "tool-result" ? toolResult(part, options) : [],
      );
    default:
      return message satisfies never;
  }
}

function userText(part: LanguageModelV3TextPart | LanguageModelV3FilePart): string {
  if (part.type === "text") return part.text;
  const { data, mediaType, filename } = part;
  if (!mediaType.startsWith("text/") || data instanceof URL) {
    throw new GptOssError("ai-sdk/unsupported", {
      message: `gpt-oss reads text, and this prompt has a file of type ${mediaType}`,
      hint: "leave it out, or describe it in words",
    });
  }
  const bytes = typeof data === "string" ? Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0)) : data;
  const text = new TextDecoder().decode(bytes);
  return filename === undefined ? text : `${filename}:\n${text}`;
}

type AssistantPart = Extract<LanguageModelV3Message, { role: "assistant" }>["content"][number];

function assistantMessages(parts: readonly AssistantPart[], options: PromptOptions): Message[] {
  const lastCall = parts.findLastIndex(({ type }) => type === "tool-call");
  const said = parts.flatMap((part, index) => assistantMessage(part, index < lastCall, options));
  const hasThoughts = said.some(({ channel }) => channel === "analysis");
  const call = parts.find((part) => part.type === "tool-call");
  // Without the thoughts that led to a call the model is worse at what follows it.
  const thoughts = hasThoughts || !call ? [] : (options.memory.recall(call.toolCallId)?.thoughts ?? []);
  return [...thoughts, ...said];
}

function assistantMessage(part: AssistantPart, isBeforeCall: boolean, options: PromptOptions): Message[] {
  switch (part.type) {
    case "reasoning":
    case "text": {
      if (part.text === "") return [];
      const { id = "", phase } = readMetadata(part.providerOptions);
      const isPreamble = phase === "commentary" || (part.type === "text" && isBeforeCall);
      const spoken = part.type === "text" ? "final" : "analysis";
      const channel = isPreamble ? "commentary" : spoken;
      const known = options.memory.recall(id)?.message;
      if (known?.content === part.text && known.channel === channel) return [known];
      return [{ role: "assistant", channel, content: part.text }];
    }
    case "tool-call":
      return [toolCall(part, options)];
    case "tool-result":
      return [toolResult(part, options)];
    case "file":
      options.warn({ type: "unsupported", feature: `assistant file of type ${part.mediaType}` });
      return [];
    default:
      return part satisfies never;
  }
}

function toolCall(part: LanguageModelV3ToolCallPart, { memory }: PromptOptions): AssistantMessage {
  const { toolName, toolCallId, input } = part;
  const recipient = `functions.${toolName}`;
  const known = memory.recall(toolCallId)?.message;
  if (known?.recipient === recipient && isSameJson(known.content, input)) return known;
  const content = typeof input === "string" ? input : JSON.stringify(input ?? {});
  return { role: "assistant", channel: "commentary", recipient, contentType: "<|constrain|>json", content };
}

/** The SDK parses arguments; whether they are still the ones that were sampled shows in the values. */
function isSameJson(sampled: string, input: unknown): boolean {
  try {
    return JSON.stringify(JSON.parse(sampled)) === JSON.stringify(input);
  } catch {
    return sampled === input; // what was sampled is no JSON, and is passed on as it is
  }
}

function toolResult(part: LanguageModelV3ToolResultPart, options: PromptOptions): ToolMessage {
  const content = outputText(part.output, options);
  const name = `functions.${part.toolName}`;
  return { role: "tool", name, recipient: "assistant", channel: "commentary", content };
}

function outputText(output: LanguageModelV3ToolResultOutput, { warn }: PromptOptions): string {
  switch (output.type) {
    case "text":
      return output.value;
    case "json":
      return JSON.stringify(output.value);
    case "error-text":
      return `Error: ${output.value}`;
    case "error-json":
      return `Error: ${JSON.stringify(output.value)}`;
    case "execution-denied":
      return `Error: ${output.reason ?? "the user did not allow this call"}`;
    case "content":
      return output.value
        .map((item) => {
          if (item.type === "text") return item.text;
          warn({ type: "unsupported", feature: `${item.type} in a tool result` });
          return `[${item.type}]`;
        })
        .join("\n");
    default:
      return output satisfies never;
  }
}
