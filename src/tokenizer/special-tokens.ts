import { GptOssError } from "../base/index.ts";
import type { SpecialTokens, TokenId } from "./tokenizer.ts";

const names = [
  "startoftext",
  "endoftext",
  "return",
  "constrain",
  "channel",
  "start",
  "end",
  "message",
  "call",
] as const satisfies readonly (keyof SpecialTokens)[];

/** `<|end|>` and so on: texts that are control tokens whatever a file says about them. */
export const harmonyTexts: ReadonlySet<string> = new Set(names.map((name) => `<|${name}|>`));

/** Finds the tokens that harmony needs; throws `tokenizer/bad-file` if one is missing. */
export function specialTokens(special: ReadonlyMap<number, string>): SpecialTokens {
  const idOf = new Map([...special].map(([id, text]) => [text, id]));
  const found = names.map((name) => {
    const id = idOf.get(`<|${name}|>`);
    if (id === undefined) {
      throw new GptOssError("tokenizer/bad-file", {
        message: `the vocabulary has no special token <|${name}|>`,
        hint: "is this the tokenizer.json of a gpt-oss model?",
      });
    }
    return [name, id as TokenId] as const;
  });
  return Object.fromEntries(found) as unknown as SpecialTokens;
}
