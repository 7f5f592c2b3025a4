export type { SpecialTokens, StreamDecoder, TokenId, Tokenizer } from "./tokenizer.ts";
