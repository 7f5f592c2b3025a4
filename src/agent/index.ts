export { toolResult } from "./calls.ts";
export type {
  AgentEvent,
  AgentNote,
  AssistantText,
  MessageEvent,
  MessageKind,
  NoteEvent,
  RunEnd,
  RunFinishReason,
  SampledLogprob,
  ToolCall,
  ToolCallDelta,
  ToolCallEnd,
  ToolCallStart,
  ToolResult,
  TurnEnd,
  TurnStart,
  Usage,
} from "./events.ts";
export { type Answer, createFold, type Fold, fold } from "./fold.ts";
export {
  type AgentRequest,
  type AnswerFormat,
  type Effort,
  efforts,
  type SampledMemory,
  type ToolChoice,
} from "./request.ts";
export { type AgentModel, openPrompt, type Prompt, runAgent } from "./run.ts";
export { createStopFilter, type StopFilter } from "./stop.ts";
export {
  type FunctionTool,
  type ToolArguments,
  type ToolContext,
  type ToolOptions,
  type ToolParameters,
  type ToolSet,
  tool,
} from "./tool.ts";
