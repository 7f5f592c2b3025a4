export type {
  Engine,
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  SamplingOptions,
  TokenLogprob,
  TokenUsage,
} from "./engine.ts";
