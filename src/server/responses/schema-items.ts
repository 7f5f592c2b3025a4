// Input items as clients send them, in all their spellings: the published ones, those of older clients, and what other
// servers answered. Unknown keys are ignored; unknown types are refused by name.

import * as z from "zod";
import { calledName } from "../prompt/index.ts";

const itemId = z.string().max(256).nullish();

/** Text, or something that is no text; which one is decided where it is read, because that depends on the server. */
const contentPart = z.looseObject({
  type: z.string(),
  text: z.string().optional(),
  refusal: z.string().optional(),
});

const content = z.union([z.string(), z.array(contentPart)]);

const message = z.looseObject({
  type: z.literal("message").optional(),
  id: itemId,
  role: z.enum(["user", "assistant", "system", "developer"]),
  content,
  phase: z.enum(["commentary", "final_answer"]).nullish(),
});

const reasoning = z.looseObject({
  type: z.literal("reasoning"),
  id: itemId,
  summary: z.array(z.looseObject({ text: z.string() })).nullish(),
  content: z.array(z.looseObject({ type: z.string(), text: z.string() })).nullish(),
  encrypted_content: z.string().nullish(),
});

const callId = z.string().min(1).max(64);

/** It stands in a header of the prompt, in front of the function's name. */
export const namespaceName = z
  .string()
  .regex(/^[a-zA-Z0-9_-]{1,64}$/, "a namespace has 1 to 64 letters, digits, _ and -");

const functionCall = z.looseObject({
  type: z.literal("function_call"),
  id: itemId,
  call_id: callId,
  name: calledName,
  namespace: namespaceName.nullish(),
  arguments: z.string(),
  status: z.string().nullish(),
});

const functionCallOutput = z.looseObject({
  type: z.literal("function_call_output"),
  id: itemId,
  call_id: callId,
  output: content,
});

const itemReference = z.looseObject({
  type: z.literal("item_reference").nullable(),
  id: z.string().min(1).max(256),
});

const compaction = z.looseObject({
  type: z.literal("compaction"),
  id: itemId,
  encrypted_content: z.string(),
});

/** Calls of tools that this server does not offer: their answers would refer to nothing, so both are left out. */
const skipped = z.looseObject({
  type: z.literal([
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "computer_call",
    "computer_call_output",
    "local_shell_call",
    "local_shell_call_output",
    "shell_call",
    "shell_call_output",
    "apply_patch_call",
    "apply_patch_call_output",
    "custom_tool_call",
    "custom_tool_call_output",
    "tool_search_call",
    "tool_search_output",
    "mcp_list_tools",
    "mcp_call",
    "mcp_approval_request",
    "mcp_approval_response",
  ]),
});

/** A reference may leave its type out; then it is an id and nothing else. */
const bareReference = z
  .looseObject({ id: itemReference.shape.id })
  .refine((item) => Object.keys(item).length === 1, { abort: true })
  .transform(({ id }) => ({ type: "item_reference" as const, id }));

const typedItem = z.discriminatedUnion("type", [
  message,
  reasoning,
  functionCall,
  functionCallOutput,
  itemReference,
  compaction,
  skipped,
]);

export const inputItem = z.union([typedItem, bareReference]);

/** What a client sends. */
export type InputItem = z.output<typeof inputItem>;
export type MessageInput = z.output<typeof message>;
