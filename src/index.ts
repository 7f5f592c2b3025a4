export {
  type AgentEvent,
  type Answer,
  type AnswerFormat,
  type Effort,
  type FunctionTool,
  type ToolCall,
  type ToolChoice,
  type ToolContext,
  type ToolSet,
  tool,
  toolResult,
  type Usage,
} from "./agent/index.ts";
export { type ErrorCode, GptOssError, UnsupportedError } from "./base/index.ts";
export type { Message } from "./harmony/index.ts";
export {
  type AnswerStream,
  createGptOss,
  type GptOss,
  type GptOssParts,
  type Input,
  type RespondOptions,
} from "./library/index.ts";
export { type LoadedGptOss, type LoadOptions, load, type ModelInfo } from "./library/node/index.ts";
