export { spellingOfBytes } from "./byte-level.ts";
export { o200kHarmony } from "./o200k-harmony.ts";
export type { MergeList, SpecialTokens, StreamDecoder, TokenId, Tokenizer } from "./tokenizer.ts";
export { tokenizerFromJson } from "./tokenizer-json.ts";
export {
  type TokenKind,
  type TokenLists,
  tokenizerFromLists,
  tokenizerJsonOf,
  tokenListsOf,
} from "./vocabulary-json.ts";
