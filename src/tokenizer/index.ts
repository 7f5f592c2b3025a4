export { o200kHarmony } from "./o200k-harmony.ts";
export type { SpecialTokens, StreamDecoder, TokenId, Tokenizer } from "./tokenizer.ts";
export { tokenizerFromJson } from "./tokenizer-json.ts";
