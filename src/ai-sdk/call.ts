// From the AI SDK's call options to ours, with a warning for each setting that has no effect here.

import type {
  JSONSchema7,
  LanguageModelV3CallOptions,
  LanguageModelV3FunctionTool,
  SharedV3Warning,
} from "@ai-sdk/provider";
import type { AgentRequest, AnswerFormat, Effort, FunctionTool, ToolChoice } from "../agent/index.ts";
import type { SamplingOptions } from "../engine/index.ts";
import type { Conversation, JsonSchema } from "../harmony/index.ts";
import type { Memory } from "./memory.ts";
import { providerKey } from "./metadata.ts";
import { toConversation } from "./prompt.ts";

/** As `providerOptions: { gptOss: … }`, for one call. */
export interface GptOssProviderOptions {
  /** How much to think before answering. Default: medium. `none` answers at once, and worse. */
  readonly reasoningEffort?: Effort;
  /** ISO date that the model takes for today; default: today. */
  readonly currentDate?: string;
  /** Keep tokens at least this likely relative to the likeliest. 0 to 1, default 0. */
  readonly minP?: number;
  /** 0.01 to 100, default 1. */
  readonly repetitionPenalty?: number;
}

/** What is asked of the model beside the messages. */
export type StreamOptions = SamplingOptions &
  Pick<
    AgentRequest,
    "tools" | "toolChoice" | "responseFormat" | "effort" | "currentDate" | "maxTokens" | "stop" | "signal"
  >;

export interface Call {
  readonly messages: Conversation;
  readonly options: StreamOptions;
  readonly warnings: SharedV3Warning[];
}

export interface CallContext {
  readonly memory: Memory;
  readonly defaults: GptOssProviderOptions;
}

/** Throws `ai-sdk/unsupported` for prompts that gpt-oss cannot read. */
export function toCall(asked: LanguageModelV3CallOptions, { memory, defaults }: CallContext): Call {
  const warnings: SharedV3Warning[] = [];
  const warn = (warning: SharedV3Warning): void => {
    warnings.push(warning);
  };
  const { responseFormat, tools = [] } = asked;
  const messages = toConversation(asked.prompt, { memory, warn });
  const functions = tools.flatMap((tool): [string, FunctionTool][] => {
    if (tool.type === "function") return [[tool.name, toFunction(tool)]];
    warn({ type: "unsupported", feature: `provider-defined tool ${tool.id}` });
    return [];
  });
  const options = {
    ...samplingOf(asked),
    ...ownOptions({ ...defaults, ...(asked.providerOptions?.[providerKey] as GptOssProviderOptions) }),
    tools: functions.length > 0 ? Object.fromEntries(functions) : undefined,
    toolChoice: asked.toolChoice && toToolChoice(asked.toolChoice),
    responseFormat: responseFormat && toAnswerFormat(responseFormat),
    maxTokens: asked.maxOutputTokens,
    stop: asked.stopSequences?.length ? asked.stopSequences : undefined,
    signal: asked.abortSignal,
  };
  return { messages, options: defined(options), warnings };
}

function samplingOf(asked: LanguageModelV3CallOptions): Loose<SamplingOptions> {
  const { temperature, topP, topK, presencePenalty, frequencyPenalty, seed } = asked;
  return { temperature, topP, topK, presencePenalty, frequencyPenalty, seed };
}

function ownOptions(options: GptOssProviderOptions): Loose<StreamOptions> {
  const { reasoningEffort, currentDate, minP, repetitionPenalty } = options;
  return { effort: reasoningEffort, currentDate, minP, repetitionPenalty };
}

/** Never with `execute`: tools are run by the AI SDK, with its hooks around them. */
function toFunction({ description, inputSchema, strict }: LanguageModelV3FunctionTool): FunctionTool {
  return {
    ...(description !== undefined && { description }),
    parameters: toJsonSchema(inputSchema),
    ...(strict !== undefined && { strict }),
  };
}

function toToolChoice(choice: NonNullable<LanguageModelV3CallOptions["toolChoice"]>): ToolChoice {
  return choice.type === "tool" ? { function: choice.toolName } : choice.type;
}

type ResponseFormat = NonNullable<LanguageModelV3CallOptions["responseFormat"]>;

function toAnswerFormat(format: ResponseFormat): AnswerFormat | undefined {
  if (format.type === "text") return undefined;
  const { schema, name = "answer", description } = format;
  if (schema === undefined) {
    return { type: "json-schema", name, schema: true, description: description ?? "Any JSON value." };
  }
  const shown = description === undefined ? {} : { description };
  return { type: "json-schema", name, schema: toJsonSchema(schema), ...shown };
}

/** The dialect's name is nothing for the model to read. */
function toJsonSchema(schema: JSONSchema7): JsonSchema {
  const { $schema: _, ...rest } = schema;
  return rest;
}

type Loose<Options> = { readonly [Key in keyof Options]?: Options[Key] | undefined };

/** Fields that are undefined would stand in the way of the model's own defaults. */
function defined(options: Loose<StreamOptions>): StreamOptions {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as StreamOptions;
}
