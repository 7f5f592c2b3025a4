// Requests of the Responses API. What is not named here is ignored: clients send keys of other vendors.

import * as z from "zod";
import { askedEfforts, formatNamePattern } from "../prompt/index.ts";
import { inputItem, namespaceName } from "./schema-items.ts";

const jsonSchema = z.union([z.boolean(), z.record(z.string(), z.unknown())]);

const functionTool = z.looseObject({
  type: z.literal("function"),
  name: z.string(),
  description: z.string().nullish(),
  parameters: jsonSchema.nullish(),
  strict: z.boolean().nullish(),
});

const otherTool = z.looseObject({
  type: z.string().refine((type) => type !== "function" && type !== "namespace", { abort: true }),
});

/** Functions that belong together, such as those of one MCP server. */
const namespaceTool = z.looseObject({
  type: z.literal("namespace"),
  name: namespaceName,
  tools: z.array(z.union([functionTool, otherTool])),
});

export type NamespaceToolInput = z.output<typeof namespaceTool>;
export type ToolInput = FunctionToolInput | NamespaceToolInput | z.output<typeof otherTool>;
export type FunctionToolInput = z.output<typeof functionTool>;

const namedTool = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  namespace: z.string().nullish(),
});

const toolChoice = z.union([
  z.enum(["auto", "none", "required"]),
  z.looseObject({ type: z.literal("function"), name: z.string(), namespace: z.string().nullish() }),
  z.looseObject({
    type: z.literal("allowed_tools"),
    mode: z.enum(["auto", "required", "none"]).nullish(),
    tools: z.array(namedTool),
  }),
  z.looseObject({
    type: z.string().refine((type) => type !== "function" && type !== "allowed_tools", { abort: true }),
  }),
]);

export type ToolChoiceInput = z.output<typeof toolChoice>;

const format = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("text") }),
  z.looseObject({ type: z.literal("json_object") }),
  z.looseObject({
    type: z.literal("json_schema"),
    name: z.string().regex(formatNamePattern).nullish(),
    description: z.string().nullish(),
    schema: jsonSchema.nullish(),
    strict: z.boolean().nullish(),
  }),
]);

export type FormatInput = z.output<typeof format>;

const metadata = z
  .record(z.string().max(64), z.string().max(512))
  .refine((pairs) => Object.keys(pairs).length <= 16, "at most 16 pairs");

const penalty = z.number().min(-2).max(2).nullish();

/** What becomes the prompt. */
const promptFields = {
  model: z.string().nullish(),
  input: z.union([z.string(), z.array(inputItem)]).nullish(),
  instructions: z.string().nullish(),
  previous_response_id: z.string().nullish(),
  tools: z.array(z.union([functionTool, namespaceTool, otherTool])).nullish(),
  tool_choice: toolChoice.nullish(),
  parallel_tool_calls: z.boolean().nullish(),
  text: z
    .looseObject({ format: format.nullish(), verbosity: z.enum(["low", "medium", "high"]).nullish() })
    .nullish(),
  reasoning: z
    .looseObject({
      effort: z.enum(askedEfforts).nullish(),
      summary: z.enum(["auto", "concise", "detailed"]).nullish(),
    })
    .nullish(),
  truncation: z.enum(["auto", "disabled"]).nullish(),
  /** Refused where they are given: what they refer to is not here. */
  conversation: z.unknown().optional(),
  prompt: z.unknown().optional(),
};

export const createBody = z.object({
  ...promptFields,
  stream: z.boolean().nullish(),
  store: z.boolean().nullish(),
  background: z.boolean().nullish(),
  max_output_tokens: z.int().min(1).nullish(),
  max_tool_calls: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(2).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  presence_penalty: penalty,
  frequency_penalty: penalty,
  top_logprobs: z.int().min(0).max(20).nullish(),
  /** Not of OpenAI's API, and useful on one's own machine: the same seed gives the same answer. */
  seed: z.int().nullish(),
  include: z.array(z.string()).nullish(),
  metadata: metadata.nullish(),
  safety_identifier: z.string().max(64).nullish(),
  prompt_cache_key: z.string().max(64).nullish(),
});

export type CreateBody = z.output<typeof createBody>;

export const inputTokensBody = z.object(promptFields);

export const compactBody = z.object({
  model: promptFields.model,
  input: promptFields.input,
  instructions: promptFields.instructions,
  previous_response_id: promptFields.previous_response_id,
  prompt_cache_key: z.string().max(64).nullish(),
});

/** In a query everything is text. */
const count = z.string().regex(/^\d{1,15}$/, "a whole number");

export const retrieveQuery = z.object({
  stream: z.enum(["true", "false", "1", "0"]).optional(),
  starting_after: count.transform(Number).optional(),
});

export const listQuery = z.object({
  limit: count.transform(Number).pipe(z.int().min(1).max(100)).default(20),
  order: z.enum(["asc", "desc"]).default("desc"),
  after: z.string().optional(),
});

/** A message of a WebSocket client: a create request with a type, in which these fields mean nothing. */
export const socketBody = z.object({
  ...createBody.shape,
  type: z.literal("response.create"),
  /** False: read the prompt, so that the next request begins sooner, and answer nothing. */
  generate: z.boolean().nullish(),
});
