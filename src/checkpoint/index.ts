export type { Checkpoint, Layout } from "./checkpoint.ts";
export type { ModelConfig, RopeConfig } from "./config.ts";
