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
export type {
  ConstraintPath,
  ConstraintState,
  Grammar,
  JsonSchemaObject,
  TokenConstraint,
} from "./grammar/constraint.ts";
export type { EngineOptions, EnginePlan } from "./plan.ts";
export { type EngineStatus, idleStatus } from "./status.ts";
