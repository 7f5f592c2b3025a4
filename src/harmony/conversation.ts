// The conversation as values: what a message is, by role. Owns the types and their few readers; knows neither
// tokens nor JSON spelling (conversation-json.ts) nor how a message looks in a prompt (render.ts).

/** A list of messages, oldest first. */
export type Conversation = readonly Message[];

export type Message = SystemMessage | DeveloperMessage | UserMessage | AssistantMessage | ToolMessage;

export type Role = Message["role"];

/** `analysis` is hidden reasoning, `commentary` holds tool calls and preambles, `final` is the answer. */
export type Channel = "analysis" | "commentary" | "final";

export const channels: readonly Channel[] = ["analysis", "commentary", "final"];

/** Text; several parts are joined without a separator, each encoded on its own. */
export type TextContent = string | readonly string[];

/**
 * What stands between `<|start|>` and `<|message|>`, beside the role. The format allows each of these on any
 * message.
 */
export interface MessageHeader {
  /**
   * Who speaks, within the role. For tools the full name, such as `functions.get_weather` or
   * `browser.search`.
   */
  readonly name?: string;
  /**
   * Whom it is for, such as `functions.get_weather`. An assistant message with a recipient is a tool call.
   */
  readonly recipient?: string;
  /** One of {@link Channel}; any other string is kept as it is. */
  readonly channel?: Channel | (string & {});
  /** How to read the text, such as `<|constrain|>json` or `code`. */
  readonly contentType?: string;
}

/**
 * Identity, dates, effort and built-in tools. Instructions of an application belong in the developer message.
 */
export interface SystemMessage extends MessageHeader {
  readonly role: "system";
  readonly content: string | SystemContent | readonly (string | SystemContent)[];
}

/**
 * What an application says: instructions, functions, response formats. Elsewhere this is called the system
 * prompt.
 */
export interface DeveloperMessage extends MessageHeader {
  readonly role: "developer";
  readonly content: string | DeveloperContent | readonly (string | DeveloperContent)[];
}

export interface UserMessage extends MessageHeader {
  readonly role: "user";
  readonly content: TextContent;
}

export interface AssistantMessage extends MessageHeader {
  readonly role: "assistant";
  readonly content: TextContent;
}

/** What a tool answered. `recipient` is usually `assistant`; `channel` is the one of the call. */
export interface ToolMessage extends MessageHeader {
  readonly role: "tool";
  readonly name: string;
  readonly content: TextContent;
}

export type ReasoningEffort = "low" | "medium" | "high";

/** Absent fields take OpenAI's defaults; `null` leaves the line out of the prompt. */
export interface SystemContent {
  /** Default: "You are ChatGPT, a large language model trained by OpenAI." */
  readonly modelIdentity?: string | null;
  /** Default: medium. */
  readonly reasoningEffort?: ReasoningEffort | null;
  /** ISO date, such as 2025-06-28. Default: none. */
  readonly conversationStartDate?: string | null;
  /** Default: 2024-06. */
  readonly knowledgeCutoff?: string | null;
  /** Default: analysis, commentary and final, required on every message. */
  readonly channelConfig?: ChannelConfig | null;
  /** Built-in tools by namespace: see `browserNamespace` and `pythonNamespace`. */
  readonly tools?: ToolNamespaces | null;
}

export interface ChannelConfig {
  readonly validChannels: readonly string[];
  readonly channelRequired: boolean;
}

export interface DeveloperContent {
  readonly instructions?: string | null;
  /** Functions go in the namespace `functions`. */
  readonly tools?: ToolNamespaces | null;
  /**
   * Structured output: shapes that the final answer may have. The prompt only asks for them; a grammar
   * enforces.
   */
  readonly responseFormats?: readonly ResponseFormat[] | null;
}

/** Namespaces by name, rendered in alphabetical order. */
export type ToolNamespaces = Readonly<Record<string, ToolNamespace>>;

export interface ToolNamespace {
  /** Default: the key in {@link ToolNamespaces}. */
  readonly name?: string;
  readonly description?: string | null;
  /**
   * Without tools, the namespace itself is the recipient (as `python` is) and its description is rendered
   * raw.
   */
  readonly tools: readonly ToolDescription[];
}

/** A function that the model may call, as `namespace.name`. */
export interface ToolDescription {
  readonly name: string;
  readonly description?: string;
  /** JSON Schema of the one argument; absent for a function without arguments. */
  readonly parameters?: JsonSchema | null;
}

export interface ResponseFormat {
  readonly name: string;
  readonly description?: string;
  readonly schema: JsonSchema;
}

export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/** The message's text; structured system and developer content is no text and counts as empty. */
export function textOf(message: Message): string {
  const { content } = message;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part: unknown) => (typeof part === "string" ? part : "")).join("");
}

/**
 * Everything the conversation offers to call, as recipients: `functions.get_weather`, `browser.search`,
 * `python`. A parser that is given them repairs names that a model spells slightly wrong.
 */
export function toolRecipients(conversation: Conversation): string[] {
  return [...new Set(conversation.flatMap(namespacesOf).flatMap(recipientsOf))];
}

/** True if the system message must say that calls go to the commentary channel. */
export function hasFunctionTools(conversation: Conversation): boolean {
  return conversation.some(
    (message) =>
      message.role === "developer" &&
      namespacesOf(message).some(([key, namespace]) => key === "functions" && namespace.tools.length > 0),
  );
}

function namespacesOf(message: Message): [string, ToolNamespace][] {
  if (message.role !== "system" && message.role !== "developer") return [];
  const parts: readonly (string | SystemContent | DeveloperContent)[] = Array.isArray(message.content)
    ? message.content
    : [message.content];
  return parts.flatMap((part) => (typeof part === "string" ? [] : Object.entries(part.tools ?? {})));
}

function recipientsOf([key, namespace]: [string, ToolNamespace]): string[] {
  const name = namespace.name ?? key;
  return namespace.tools.length === 0 ? [name] : namespace.tools.map((tool) => `${name}.${tool.name}`);
}
