// Conversation → tokens. Owns the shape of a message and which old reasoning is left out; the words inside
// structured messages are system-text.ts. Control tokens come from `tokenizer.special` only and every text
// goes through ordinary encoding, so no text, from whomever, can become a control token. Pieces are encoded
// apart where the official renderer encodes them apart: across such a seam no two letters merge into one
// token.

import { GptOssError } from "../base/index.ts";
import type { TokenId, Tokenizer } from "../tokenizer/index.ts";
import type {
  AssistantMessage,
  Conversation,
  DeveloperContent,
  Message,
  MessageHeader,
  SystemContent,
} from "./conversation.ts";
import { hasFunctionTools } from "./conversation.ts";
import { withoutFinishedAnalysis } from "./retention.ts";
import { developerText, systemText } from "./system-text.ts";

export interface RenderOptions {
  /**
   * `drop-finished` (default) leaves out the reasoning of turns that came to a final answer, as OpenAI asks;
   * reasoning since the last final answer stays, because tool calls are part of it. `keep` leaves nothing
   * out.
   */
  readonly analysis?: "drop-finished" | "keep";
  /** Messages to write with exactly these tokens: see `sampledHistory`. */
  readonly sampled?: SampledTokens;
}

/**
 * A `Map` or `WeakMap` by message object. A changed copy of a message is another object, so it is encoded
 * afresh.
 */
export interface SampledTokens {
  get(message: Message): readonly TokenId[] | undefined;
}

export interface CompletionOptions extends RenderOptions {
  /** How the assistant's next message already begins; give the parser the same. */
  readonly prefill?: Prefill;
}

/**
 * `{ channel: "final" }` answers without reasoning; with a recipient, the model can only write that call's
 * arguments.
 */
export interface Prefill extends Omit<MessageHeader, "name"> {
  readonly text?: string;
}

/**
 * The tokens of a conversation as it stands: what the model saw when it wrote the last turn, and that turn
 * whole. Of earlier turns that came to an answer, the reasoning is left out.
 *
 * @throws GptOssError `harmony/bad-conversation` for values that the types forbid, such as a tool message without a name.
 */
export function renderConversation(
  conversation: Conversation,
  tokenizer: Tokenizer,
  options: RenderOptions = {},
): TokenId[] {
  return renderMessages(conversation, tokenizer, options, lastTurn(conversation)).flat();
}

/**
 * The prompt for the assistant's next message: the conversation, then `<|start|>assistant` and the prefill.
 *
 * @example
 * const prompt = renderForCompletion(
 *   [
 *     { role: "system", content: { reasoningEffort: "high" } },
 *     { role: "developer", content: { instructions: "Answer in one word." } },
 *     { role: "user", content: "What is the capital of France?" },
 *   ],
 *   o200kHarmony(),
 * );
 */
export function renderForCompletion(
  conversation: Conversation,
  tokenizer: Tokenizer,
  options: CompletionOptions = {},
): TokenId[] {
  return [
    ...renderMessages(conversation, tokenizer, options, conversation.length).flat(),
    ...assistantStart(tokenizer),
    ...(options.prefill === undefined ? [] : prefillTokens(options.prefill, tokenizer)),
  ];
}

/**
 * The tokens of one message.
 *
 * @param options.functionTools whether the conversation offers functions, which a system message has to mention.
 */
export function renderMessage(
  message: Message,
  tokenizer: Tokenizer,
  options: { readonly functionTools?: boolean } = {},
): TokenId[] {
  return messageTokens(message, tokenizer, options.functionTools ?? false, undefined);
}

/**
 * Tokens at which sampling must stop: harmony's own, and those that a checkpoint lists. `<|end|>` is none of
 * them, even where a checkpoint lists it: after it, the model goes on with its next message.
 */
export function stopTokens(tokenizer: Tokenizer, listed: readonly number[] = []): TokenId[] {
  const { special } = tokenizer;
  const all = new Set([special.return, special.call, special.endoftext, ...(listed as TokenId[])]);
  all.delete(special.end);
  return [...all];
}

/** Where the assistant began to answer for the last time: only its own messages and its tools' follow. */
export function lastTurn(conversation: Conversation): number {
  return 1 + conversation.findLastIndex(({ role }) => role !== "assistant" && role !== "tool");
}

/** One list of tokens per message that is kept. Final answers before `end` have had their reasoning. */
export function renderMessages(
  conversation: Conversation,
  tokenizer: Tokenizer,
  options: RenderOptions,
  end: number,
): TokenId[][] {
  const kept = options.analysis === "keep" ? conversation : withoutFinishedAnalysis(conversation, end);
  const functionTools = hasFunctionTools(conversation);
  return kept.map((message) => messageTokens(message, tokenizer, functionTools, options.sampled));
}

/** What a prompt for completion ends with. */
export function assistantStart(tokenizer: Tokenizer): TokenId[] {
  return [tokenizer.special.start, ...tokenizer.encode("assistant")];
}

/** From after `<|start|>assistant`. */
export function prefillTokens({ text = "", ...header }: Prefill, tokenizer: Tokenizer): TokenId[] {
  return [...headerTokens(header, tokenizer), tokenizer.special.message, ...tokenizer.encode(text)];
}

/**
 * The token that ends a message in history: `<|call|>` after an assistant's message to somebody, else
 * `<|end|>`.
 */
export function terminatorOf(message: Message, tokenizer: Tokenizer): TokenId {
  const isCall = message.role === "assistant" && message.recipient !== undefined;
  return isCall ? tokenizer.special.call : tokenizer.special.end;
}

function messageTokens(
  message: Message,
  tokenizer: Tokenizer,
  functionTools: boolean,
  sampled: SampledTokens | undefined,
): TokenId[] {
  const replay = sampled?.get(message);
  if (replay !== undefined) return [...replay];
  const parts: readonly unknown[] = Array.isArray(message.content) ? message.content : [message.content];
  return [
    tokenizer.special.start,
    ...roleTokens(message, tokenizer),
    ...headerTokens(message, tokenizer),
    tokenizer.special.message,
    ...parts.flatMap((part) => tokenizer.encode(partText(part, message, functionTools))),
    terminatorOf(message, tokenizer),
  ];
}

/** A tool is known by its name alone; anybody else by the role, and a name after a colon. */
export function roleTokens(message: Message, tokenizer: Tokenizer): TokenId[] {
  const { role, name } = message;
  if (role === "tool") {
    if (typeof name !== "string") throw badMessage("a tool message needs the tool's name");
    return tokenizer.encode(name);
  }
  const tokens = tokenizer.encode(role);
  return name === undefined ? tokens : [...tokens, ...tokenizer.encode(`:${name}`)];
}

const constrain = "<|constrain|>";

function headerTokens(header: MessageHeader | AssistantMessage, tokenizer: Tokenizer): TokenId[] {
  const { recipient, channel, contentType } = header;
  const { special } = tokenizer;
  const tokens: TokenId[] = [];
  // The official renderer takes `all` for "nobody in particular".
  if (recipient !== undefined && recipient !== "all") tokens.push(...tokenizer.encode(` to=${recipient}`));
  if (channel !== undefined) tokens.push(special.channel, ...tokenizer.encode(channel));
  if (contentType?.startsWith(constrain))
    tokens.push(
      ...tokenizer.encode(" "),
      special.constrain,
      ...tokenizer.encode(contentType.slice(constrain.length)),
    );
  else if (contentType !== undefined) tokens.push(...tokenizer.encode(` ${contentType}`));
  return tokens;
}

function partText(part: unknown, message: Message, functionTools: boolean): string {
  if (typeof part === "string") return part;
  if (typeof part === "object" && part !== null) {
    if (message.role === "system") return systemText(part as SystemContent, functionTools);
    if (message.role === "developer") return developerText(part as DeveloperContent);
  }
  throw badMessage(`a message of role ${message.role} can only contain text`);
}

function badMessage(problem: string): GptOssError {
  return new GptOssError("harmony/bad-conversation", {
    message: problem,
    hint: "conversations from outside should be read with conversationFromJson, which checks them",
  });
}
