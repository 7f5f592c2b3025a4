export {
  type AssistantMessage,
  type Channel,
  type ChannelConfig,
  type Conversation,
  channels,
  type DeveloperContent,
  type DeveloperMessage,
  type JsonSchema,
  type Message,
  type MessageHeader,
  type ReasoningEffort,
  type ResponseFormat,
  type Role,
  type SystemContent,
  type SystemMessage,
  type TextContent,
  type ToolDescription,
  type ToolMessage,
  type ToolNamespace,
  type ToolNamespaces,
  textOf,
  toolRecipients,
  type UserMessage,
} from "./conversation.ts";
export {
  type ContentJson,
  type ConversationJson,
  conversationFromJson,
  conversationToJson,
  type MessageJson,
} from "./conversation-json.ts";
export type {
  HarmonyEvent,
  MessageEnd,
  MessageStart,
  Note,
  NoteKind,
  ParsedMessage,
  Terminator,
  TextDelta,
  TextMessage,
} from "./events.ts";
export { type SampledHistory, sampledHistory } from "./history.ts";
export { createParser, type Parser, type ParserOptions, parseTokens } from "./parser.ts";
export {
  type CompletionOptions,
  type Prefill,
  prefillTokens,
  type RenderOptions,
  renderConversation,
  renderForCompletion,
  renderMessage,
  type SampledTokens,
  stopTokens,
} from "./render.ts";
export { schemaToTypeScript } from "./schema-text.ts";
export { browserNamespace, pythonNamespace } from "./tools-text.ts";
export { renderForTraining, type TrainingOptions, type TrainingRendering } from "./training.ts";
