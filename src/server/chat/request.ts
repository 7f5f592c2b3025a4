// The body of a Chat Completions request, as OpenAI and those who came after spell it. Fields that are not named here are
// ignored: clients send fields of their own vendors.

import * as z from "zod";
import { type AskedEffort, askedEfforts, calledName, formatNamePattern } from "../prompt/index.ts";
import { samplingFields } from "../sampling.ts";

const jsonSchema = z.union([z.boolean(), z.record(z.string(), z.unknown())]);

/** The Agents SDK sends null for what is not there. */
const part = z.looseObject({ type: z.string(), text: z.string().nullish(), refusal: z.string().nullish() });
const content = z.union([z.string(), z.array(part)]);

const functionCall = z.object({ name: calledName, arguments: z.string() });
const toolCall = z.object({ id: z.string(), type: z.literal("function").optional(), function: functionCall });

const message = z.discriminatedUnion("role", [
  z.object({ role: z.enum(["system", "developer"]), content }),
  z.object({ role: z.literal("user"), content }),
  z.object({
    role: z.literal("assistant"),
    content: content.nullish(),
    /** Under the names of the cookbook and vLLM, of DeepSeek and llama.cpp, and of Ollama. */
    reasoning: z.string().nullish(),
    reasoning_content: z.string().nullish(),
    thinking: z.string().nullish(),
    refusal: z.string().nullish(),
    tool_calls: z.array(toolCall).nullish(),
    function_call: functionCall.nullish(),
  }),
  z.object({ role: z.literal("tool"), tool_call_id: z.string(), content }),
  z.object({ role: z.literal("function"), name: z.string(), content: content.nullish() }),
]);

const declaredFunction = z.object({
  name: z.string(),
  description: z.string().nullish(),
  parameters: jsonSchema.nullish(),
  strict: z.boolean().nullish(),
});

const named = z.object({ type: z.literal("function"), function: z.object({ name: z.string() }) });

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  named,
  z.object({
    type: z.literal("allowed_tools"),
    allowed_tools: z.object({ mode: z.enum(["auto", "required"]), tools: z.array(named) }),
  }),
]);

const responseFormat = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    json_schema: z.object({
      name: z.string().regex(formatNamePattern, "1 to 64 letters, digits, dots, underscores and hyphens"),
      description: z.string().nullish(),
      schema: jsonSchema.nullish(),
      strict: z.boolean().nullish(),
    }),
  }),
]);

const effort = z.enum(askedEfforts as [AskedEffort, ...AskedEffort[]]);
const tokenCount = z.int().min(1);

export const chatSchema = z.object({
  model: z.string().nullish(),
  messages: z.array(message).min(1),
  ...samplingFields,
  max_completion_tokens: tokenCount.nullish(),
  max_tokens: tokenCount.nullish(),
  n: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(20).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  tools: z.array(z.looseObject({ type: z.string(), function: declaredFunction.optional() })).nullish(),
  tool_choice: toolChoice.nullish(),
  functions: z.array(declaredFunction).nullish(),
  function_call: z.union([z.enum(["none", "auto"]), z.object({ name: z.string() })]).nullish(),
  response_format: responseFormat.nullish(),
  reasoning_effort: effort.nullish(),
  /** OpenRouter's. */
  reasoning: z
    .object({ effort: effort.nullish(), exclude: z.boolean().nullish(), enabled: z.boolean().nullish() })
    .nullish(),
  include_reasoning: z.boolean().nullish(),
  /** vLLM's. */
  chat_template_kwargs: z.looseObject({ reasoning_effort: effort.nullish() }).nullish(),
  modalities: z.array(z.string()).nullish(),
  audio: z.unknown().optional(),
  web_search_options: z.unknown().optional(),
});

export type ChatBody = z.output<typeof chatSchema>;
export type ChatMessage = ChatBody["messages"][number];
