import type { SpecialTokens, TokenId, Tokenizer } from "../../tokenizer/index.ts";

/** Tokens of a text in which `<|start|>` and the like mean the control tokens: how tests write sampled output. */
export function marked(text: string, tokenizer: Tokenizer): TokenId[] {
  return text.split(/(<\|[a-z]+\|>)/).flatMap((piece) => {
    const name = piece.slice(2, -2) as keyof SpecialTokens;
    return /^<\|[a-z]+\|>$/.test(piece) ? [tokenizer.special[name]] : tokenizer.encode(piece);
  });
}
