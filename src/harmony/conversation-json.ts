// Conversations in the official library's own JSON form. Reads every spelling that library accepts (content
// as a plain string, absent fields), writes one: content as a list of parts, every field of a system message
// explicit, so that the official library reads exactly what is rendered here. `response_formats` is an
// addition that it ignores.

import { GptOssError } from "../base/index.ts";
import type {
  ChannelConfig,
  Conversation,
  DeveloperContent,
  JsonSchema,
  Message,
  ReasoningEffort,
  ResponseFormat,
  Role,
  SystemContent,
  ToolDescription,
  ToolNamespace,
  ToolNamespaces,
} from "./conversation.ts";
import { withDefaults } from "./system-text.ts";
import { browserNamespace } from "./tools-text.ts";

/** `{ "messages": [...] }`, snake_case, as the official library writes and reads it. */
export interface ConversationJson {
  readonly messages: readonly MessageJson[];
}

export interface MessageJson {
  readonly role: Role;
  readonly name?: string;
  readonly channel?: string;
  readonly recipient?: string;
  readonly content_type?: string;
  readonly content: readonly ContentJson[];
}

export type ContentJson =
  | { readonly type: "text"; readonly text: string }
  | ({ readonly type: "system_content" | "developer_content" } & { readonly [field: string]: unknown });

/**
 * Reads a conversation in the official library's JSON form: text, or the value already parsed from it. Absent
 * fields take that library's defaults, `null` leaves a line out. A bare list of messages is accepted too.
 *
 * @throws GptOssError `harmony/bad-conversation`, naming the path of what is wrong.
 * @example
 * const conversation = conversationFromJson('{"messages":[{"role":"user","content":"What is 47 + 85?"}]}');
 */
export function conversationFromJson(json: unknown): Message[] {
  const value = typeof json === "string" ? parseJson(json) : json;
  if (Array.isArray(value)) return readList(value, "messages", readMessage);
  return readList(readObject(value, "conversation").messages, "messages", readMessage);
}

/**
 * Writes a conversation in the official library's JSON form.
 *
 * @example
 * const text = JSON.stringify(conversationToJson([{ role: "user", content: "Hello" }]));
 */
export function conversationToJson(conversation: Conversation): ConversationJson {
  return { messages: conversation.map(writeMessage) };
}

function bad(path: string, expected: string, found: unknown, hint?: string): GptOssError {
  return new GptOssError("harmony/bad-conversation", {
    message: `${path}: expected ${expected}, found ${nameOf(found)}`,
    hint: hint ?? `${path} must be ${expected}`,
  });
}

function nameOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  return typeof value === "object" ? "an object" : `${typeof value} ${String(value)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GptOssError("harmony/bad-conversation", {
      message: `conversation: not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'a conversation is JSON such as {"messages":[{"role":"user","content":"Hello"}]}',
      cause,
    });
  }
}

type Fields = { readonly [key: string]: unknown };

function readObject(value: unknown, path: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad(path, "an object", value);
  return value as Fields;
}

function readList<T>(value: unknown, path: string, read: (item: unknown, path: string) => T): T[] {
  if (!Array.isArray(value)) throw bad(path, "a list", value);
  // Array.from visits holes too, which `map` would skip.
  return Array.from(value, (item: unknown, index) => read(item, `${path}[${index}]`));
}

function readString(value: unknown, path: string): string {
  if (typeof value !== "string") throw bad(path, "a string", value);
  return value;
}

function readOneOf<T extends string>(value: unknown, path: string, allowed: readonly T[]): T {
  const found = allowed.find((item) => item === value);
  if (found === undefined) throw bad(path, `one of ${allowed.join(", ")}`, value);
  return found;
}

/**
 * Copies what is there: an absent field stays absent, so that defaults are applied in one place, when
 * rendering.
 */
function field<K extends string, T>(
  source: Fields,
  path: string,
  key: string,
  as: K,
  read: (value: unknown, path: string) => T,
): { [P in K]?: T | null } {
  const value = source[key];
  if (value === undefined) return {};
  return { [as]: value === null ? null : read(value, `${path}.${key}`) } as { [P in K]?: T | null };
}

/** As {@link field}, for fields where the official form does not tell null from absent. */
function optional<K extends string, T>(
  source: Fields,
  path: string,
  key: string,
  as: K,
  read: (value: unknown, path: string) => T,
): { [P in K]?: T } {
  return source[key] === null ? {} : (field(source, path, key, as, read) as { [P in K]?: T });
}

const roles: readonly Role[] = ["system", "developer", "user", "assistant", "tool"];

function readMessage(value: unknown, path: string): Message {
  const source = readObject(value, path);
  const role = readOneOf(source.role, `${path}.role`, roles);
  const message = {
    role,
    ...optional(source, path, "name", "name", readString),
    ...optional(source, path, "recipient", "recipient", readString),
    ...optional(source, path, "channel", "channel", readString),
    ...optional(source, path, "content_type", "contentType", readString),
    content: readContent(source.content, `${path}.content`, role),
  };
  if (role === "tool" && message.name === undefined)
    throw bad(
      `${path}.name`,
      "the tool's name",
      undefined,
      "a tool message names its tool, such as functions.get_weather",
    );
  return message as Message;
}

type Part = string | SystemContent | DeveloperContent;

function readContent(value: unknown, path: string, role: Role): Part | Part[] {
  if (typeof value === "string") return value;
  const parts = readList(value, path, (item, at) => readPart(item, at, role));
  return parts.length === 1 ? parts[0] : parts;
}

function readPart(value: unknown, path: string, role: Role): Part {
  const source = readObject(value, path);
  const type = readOneOf(source.type, `${path}.type`, ["text", "system_content", "developer_content"]);
  switch (type) {
    case "text":
      return readString(source.text, `${path}.text`);
    case "system_content":
      requireRole(role, "system", path);
      return readSystemContent(source, path);
    case "developer_content":
      requireRole(role, "developer", path);
      return readDeveloperContent(source, path);
    default:
      return type satisfies never;
  }
}

function requireRole(role: Role, wanted: Role, path: string): void {
  if (role !== wanted) throw bad(path, `text in a message of role ${role}`, `${wanted}_content`);
}

function readSystemContent(source: Fields, path: string): SystemContent {
  return {
    ...field(source, path, "model_identity", "modelIdentity", readString),
    ...field(source, path, "reasoning_effort", "reasoningEffort", readEffort),
    ...field(source, path, "conversation_start_date", "conversationStartDate", readString),
    ...field(source, path, "knowledge_cutoff", "knowledgeCutoff", readString),
    ...field(source, path, "channel_config", "channelConfig", readChannelConfig),
    ...field(source, path, "tools", "tools", readNamespaces),
  };
}

function readEffort(value: unknown, path: string): ReasoningEffort {
  // The official form says High; people write high.
  const effort = typeof value === "string" ? value.toLowerCase() : value;
  if (effort !== "low" && effort !== "medium" && effort !== "high")
    throw bad(path, "one of Low, Medium, High", value);
  return effort;
}

function readChannelConfig(value: unknown, path: string): ChannelConfig {
  const source = readObject(value, path);
  const required = source.channel_required;
  if (typeof required !== "boolean") throw bad(`${path}.channel_required`, "true or false", required);
  return {
    validChannels: readList(source.valid_channels, `${path}.valid_channels`, readString),
    channelRequired: required,
  };
}

function readDeveloperContent(source: Fields, path: string): DeveloperContent {
  return {
    ...field(source, path, "instructions", "instructions", readString),
    ...field(source, path, "tools", "tools", readNamespaces),
    ...field(source, path, "response_formats", "responseFormats", (value, at) =>
      readList(value, at, readResponseFormat),
    ),
  };
}

function readNamespaces(value: unknown, path: string): ToolNamespaces {
  // fromEntries, because assigning a key named __proto__ would set the prototype instead.
  return Object.fromEntries(
    Object.entries(readObject(value, path)).map(([key, item]) => [
      key,
      readNamespace(item, `${path}.${key}`),
    ]),
  );
}

function readNamespace(value: unknown, path: string): ToolNamespace {
  const source = readObject(value, path);
  const tools = source.tools == null ? [] : readList(source.tools, `${path}.tools`, readTool);
  return {
    ...optional(source, path, "name", "name", readString),
    ...optional(source, path, "description", "description", readString),
    tools: tools.map(restoreParameters),
  };
}

/**
 * The official library's WebAssembly build hands out its browser tools with a JavaScript Map for parameters,
 * and JSON writes every Map as `{}`. A tool in exactly the browser's words and without parameters is one of
 * these.
 */
function restoreParameters(tool: ToolDescription): ToolDescription {
  const { parameters } = tool;
  const isEmpty =
    typeof parameters === "object" && parameters !== null && Object.keys(parameters).length === 0;
  const { tools } = browserNamespace();
  const original = tools.find(
    ({ name, description }) => name === tool.name && description === tool.description,
  );
  return isEmpty && original !== undefined ? original : tool;
}

function readTool(value: unknown, path: string): ToolDescription {
  const source = readObject(value, path);
  return {
    name: readString(source.name, `${path}.name`),
    ...optional(source, path, "description", "description", readString),
    ...optional(source, path, "parameters", "parameters", readSchema),
  };
}

function readResponseFormat(value: unknown, path: string): ResponseFormat {
  const source = readObject(value, path);
  return {
    name: readString(source.name, `${path}.name`),
    ...optional(source, path, "description", "description", readString),
    schema: readSchema(source.schema, `${path}.schema`),
  };
}

function readSchema(value: unknown, path: string): JsonSchema {
  return typeof value === "boolean" ? value : readObject(value, path);
}

function writeMessage(message: Message): MessageJson {
  const { role, name, channel, recipient, contentType } = message;
  const parts: readonly Part[] = Array.isArray(message.content) ? message.content : [message.content];
  return {
    role,
    ...(name === undefined ? {} : { name }),
    ...(channel === undefined ? {} : { channel }),
    ...(recipient === undefined ? {} : { recipient }),
    ...(contentType === undefined ? {} : { content_type: contentType }),
    content: parts.map((part) =>
      typeof part === "string" ? { type: "text", text: part } : writePart(part, role),
    ),
  };
}

function writePart(part: SystemContent | DeveloperContent, role: Role): ContentJson {
  return role === "system"
    ? writeSystemContent(part as SystemContent)
    : writeDeveloperContent(part as DeveloperContent);
}

function writeSystemContent(content: SystemContent): ContentJson {
  const { modelIdentity, reasoningEffort, conversationStartDate, knowledgeCutoff, channelConfig, tools } =
    withDefaults(content);
  return {
    type: "system_content",
    model_identity: modelIdentity,
    reasoning_effort: reasoningEffort && reasoningEffort[0].toUpperCase() + reasoningEffort.slice(1),
    tools: tools && writeNamespaces(tools),
    conversation_start_date: conversationStartDate,
    knowledge_cutoff: knowledgeCutoff,
    channel_config: channelConfig && {
      valid_channels: channelConfig.validChannels,
      channel_required: channelConfig.channelRequired,
    },
  };
}

function writeDeveloperContent(content: DeveloperContent): ContentJson {
  const { instructions = null, tools, responseFormats } = content;
  return {
    type: "developer_content",
    instructions,
    tools: tools == null ? null : writeNamespaces(tools),
    ...(responseFormats == null ? {} : { response_formats: responseFormats }),
  };
}

function writeNamespaces(namespaces: ToolNamespaces): unknown {
  return Object.fromEntries(
    Object.entries(namespaces).map(([key, { name = key, description = null, tools }]) => [
      key,
      {
        name,
        description,
        tools: tools.map((tool) => ({
          name: tool.name,
          description: tool.description ?? "",
          parameters: tool.parameters ?? null,
        })),
      },
    ]),
  );
}
