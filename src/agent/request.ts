// What a caller asks of a run, and the conversation that the model then sees: a system message with effort and date,
// a developer message with instructions and functions, and what was said.

import type { SamplingOptions } from "../engine/index.ts";
import type {
  Conversation,
  DeveloperContent,
  DeveloperMessage,
  JsonSchema,
  Message,
  ReasoningEffort,
  ResponseFormat,
  SampledTokens,
  SystemContent,
  SystemMessage,
  ToolNamespaces,
} from "../harmony/index.ts";
import type { TokenId } from "../tokenizer/index.ts";
import { checkStop } from "./stop.ts";
import { checkToolNames, type ToolSet } from "./tool.ts";

/** `none` skips reasoning: the prompt ends inside the final channel. Faster, and worse at anything hard. */
export type Effort = ReasoningEffort | "none";

/** All of them, the least first. */
export const efforts: readonly Effort[] = ["none", "low", "medium", "high"];

/**
 * `none`: the functions are shown, and no call can be made. `required`: a call comes before any answer. A function: it is
 * called, after thinking. `allowed`: only these can be called. A choice that demands a call is fulfilled by the first
 * one; after its result the model goes on as it likes.
 */
export type ToolChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly function: string }
  | { readonly allowed: readonly string[]; readonly mode: "auto" | "required" };

/**
 * The shape of a final answer, which nothing else can be sampled than. `json` is any JSON object; say in the instructions
 * that JSON is wanted. A schema is shown to the model.
 */
export type AnswerFormat =
  | { readonly type: "json" }
  | {
      readonly type: "json-schema";
      readonly name: string;
      readonly description?: string;
      readonly schema: JsonSchema;
    }
  | { readonly type: "choice"; readonly choices: readonly string[] }
  /** An ECMAScript regular expression that matches the whole answer. */
  | { readonly type: "regex"; readonly pattern: string };

export interface AgentRequest {
  /**
   * What was said, oldest first. A leading system message is kept (the rest of this request fills in only what it
   * leaves open), and so is a developer message, to which `instructions` and `tools` are added.
   */
  readonly messages: Conversation;
  /** What an application tells the model; elsewhere called the system prompt. */
  readonly instructions?: string;
  /** Functions that the model may call. */
  readonly tools?: ToolSet;
  /** Whether, and which of the functions, the model has to call. Default: as it likes. */
  readonly toolChoice?: ToolChoice;
  /** What the final answer has to be. Thoughts and calls stay as they are. */
  readonly responseFormat?: AnswerFormat;
  /** Default: what a system message in `messages` says, else medium. */
  readonly effort?: Effort;
  /** ISO date for the system message; default: no date. */
  readonly currentDate?: string;
  /** Default: OpenAI's, temperature 1 and nothing else. */
  readonly sampling?: SamplingOptions;
  /** Output tokens of the whole run, reasoning included; default: what the context holds. */
  readonly maxTokens?: number;
  /** Turns of the whole run; the last one has to answer. Default: 32. */
  readonly maxTurns?: number;
  /**
   * Texts that end the run where one begins in an answer, or in what is said before calls; the finish reason is then
   * `stop`, and the text itself is left out. Reasoning and arguments are not searched.
   */
  readonly stop?: readonly string[];
  /**
   * How the answer begins, which the model then continues, without reasoning first. It is part of the answer's message,
   * and not of its deltas.
   */
  readonly answerStart?: string;
  /** Give log-probabilities of the sampled tokens, and of this many likeliest ones. */
  readonly topLogprobs?: number;
  /**
   * The tokens in which messages were sampled, by message object. A message of an earlier answer is then written as the
   * model wrote it, and a cache of it stays valid. The run reads it and adds to it; a `WeakMap` does.
   */
  readonly memory?: SampledMemory;
  /** Ends the run, tools included, with finish reason `aborted`. */
  readonly signal?: AbortSignal;
}

export interface SampledMemory extends SampledTokens {
  set(message: Message, tokens: readonly TokenId[]): unknown;
}

/** All that the model is to see before its first turn. */
export function openConversation(request: AgentRequest): Conversation {
  checkToolNames(request.tools ?? {});
  checkStop(request.stop ?? []);
  const [first] = request.messages;
  const rest = first?.role === "system" ? request.messages.slice(1) : request.messages;
  const system = first?.role === "system" ? withEffort(first, request.effort) : newSystemMessage(request);
  return [system, ...withDeveloper(rest, request)];
}

function newSystemMessage(request: AgentRequest): SystemMessage {
  const reasoningEffort = trainedEffort(request.effort ?? "medium");
  const date = request.currentDate === undefined ? {} : { conversationStartDate: request.currentDate };
  return { role: "system", content: { reasoningEffort, ...date } };
}

function withEffort(message: SystemMessage, effort: Effort | undefined): SystemMessage {
  if (effort === undefined || !isContent<SystemContent>(message.content)) return message;
  return { ...message, content: { ...message.content, reasoningEffort: trainedEffort(effort) } };
}

/** No model was trained with "Reasoning: none". */
const trainedEffort = (effort: Effort): ReasoningEffort => (effort === "none" ? "low" : effort);

function withDeveloper(messages: Conversation, request: AgentRequest): Conversation {
  const added = developerContent(request);
  if (!added) return messages;
  const [first] = messages;
  if (first?.role !== "developer" || !isContent<DeveloperContent>(first.content)) {
    return [{ role: "developer", content: added }, ...messages];
  }
  const merged: DeveloperMessage = { ...first, content: mergeDeveloper(first.content, added) };
  return [merged, ...messages.slice(1)];
}

function developerContent(request: AgentRequest): DeveloperContent | undefined {
  const { instructions } = request;
  const responseFormats = promptedFormats(request.responseFormat);
  const functions = Object.entries(request.tools ?? {}).map(([name, { description, parameters }]) => ({
    name,
    ...(description !== undefined && { description }),
    ...(parameters !== undefined && { parameters }),
  }));
  if (instructions === undefined && functions.length === 0 && responseFormats.length === 0) return undefined;
  return {
    ...(instructions !== undefined && { instructions }),
    ...(functions.length > 0 && { tools: { functions: { tools: functions } } }),
    ...(responseFormats.length > 0 && { responseFormats }),
  };
}

/** Models were trained to see schemas; of other formats the instructions have to speak. */
function promptedFormats(format: AnswerFormat | undefined): ResponseFormat[] {
  if (format?.type !== "json-schema") return [];
  const { type: _, ...shown } = format;
  return [shown];
}

function mergeDeveloper(old: DeveloperContent, added: DeveloperContent): DeveloperContent {
  const instructions = [old.instructions, added.instructions].filter((text) => typeof text === "string");
  const formats = [...(old.responseFormats ?? []), ...(added.responseFormats ?? [])];
  return {
    ...(instructions.length > 0 && { instructions: instructions.join("\n\n") }),
    tools: mergeTools(old.tools ?? {}, added.tools ?? {}),
    ...(formats.length > 0 && { responseFormats: formats }),
  };
}

/** A function given with the request replaces one of the same name. */
function mergeTools(old: ToolNamespaces, added: ToolNamespaces): ToolNamespaces {
  if (!added.functions) return old;
  const replaced = new Set(added.functions.tools.map((tool) => tool.name));
  const kept = (old.functions?.tools ?? []).filter((tool) => !replaced.has(tool.name));
  return { ...old, functions: { ...old.functions, tools: [...kept, ...added.functions.tools] } };
}

const isContent = <Content extends object>(content: Message["content"] | Content): content is Content =>
  typeof content === "object" && content !== null && !Array.isArray(content);
