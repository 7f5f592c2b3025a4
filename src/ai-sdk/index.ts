export type { GptOssProviderOptions, StreamOptions } from "./call.ts";
export { type GptOssModel, type GptOssSettings, gptOss } from "./language-model.ts";
