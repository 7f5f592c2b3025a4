export { createEngine, type LocalEngine } from "./create-engine.ts";
export type {
  Engine,
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  SamplingOptions,
  TokenLogprob,
  TokenUsage,
} from "./engine.ts";
export { checkGrammar } from "./grammar/compile.ts";
export type {
  ConstraintPath,
  ConstraintState,
  Grammar,
  JsonSchemaObject,
  TokenConstraint,
} from "./grammar/constraint.ts";
export { type EngineOptions, type EnginePlan, planEngine } from "./plan.ts";
export { type ConnectOptions, connectEngine, type RemoteEngine } from "./remote/connect-engine.ts";
export type { EnginePort } from "./remote/protocol.ts";
export { serveEngine } from "./remote/serve-engine.ts";
export { type EngineStatus, idleStatus } from "./status.ts";
