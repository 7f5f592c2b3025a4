import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { GptOssError } from "../base/index.ts";
import { o200kHarmony, type TokenId, type Tokenizer, tokenizerFromJson } from "./index.ts";
import { type TokenLists, tokenizerFromLists, tokenizerJsonOf, tokenListsOf } from "./vocabulary-json.ts";

const micro = tokenizerFromJson(
  readFileSync(new URL("../../models/micro/tokenizer.json", import.meta.url), "utf8"),
);
const text = "Ünïcode, 漢字 🙂, 12345 and\n\n   code(x) { } <|end|>";

function expectSame(one: Tokenizer, other: Tokenizer): void {
  expect(one.special).toEqual(other.special);
  expect(one.encode(text)).toEqual(other.encode(text));
  for (let id = 0; id < other.vocabularySize; id++) {
    expect(one.bytes(id as TokenId)).toEqual(other.bytes(id as TokenId));
    expect(one.isSpecial(id as TokenId)).toBe(other.isSpecial(id as TokenId));
  }
}

describe("a tokenizer as lists, and the tokenizer of the lists", () => {
  test("are the same, with ids that the model has and the tokenizer has not", () => {
    const lists = tokenListsOf(micro, 2080);
    expect([lists.tokens.length, lists.kinds[2053], lists.kinds[2070]]).toEqual([2080, "control", "unused"]);
    const again = tokenizerFromLists(lists);
    expectSame(again, micro);
    expect(again.bytes(2070 as TokenId)).toBeUndefined();
  });

  test("as a tokenizer.json, text and all, as Hugging Face reads it", () => {
    const json = JSON.parse(JSON.stringify(tokenizerJsonOf(tokenListsOf(micro, 2080))));
    expectSame(tokenizerFromJson(json), micro);
    const published = JSON.parse(readFileSync("models/micro/tokenizer.json", "utf8"));
    expect(json.model.vocab).toEqual(published.model.vocab);
    expect(json.model.merges).toEqual(published.model.merges);
    for (const key of ["added_tokens", "pre_tokenizer", "decoder", "post_processor", "normalizer"])
      expect([key, json[key]]).toEqual([key, published[key]]);
  });
});

describe("the built-in vocabulary", () => {
  const lists = tokenListsOf(o200kHarmony(), o200kHarmony().vocabularySize);
  const changed = (id: number, token: string, kind = lists.kinds[id]): TokenLists => ({
    ...lists,
    tokens: lists.tokens.with?.(id, token) ?? Object.assign([...lists.tokens], { [id]: token }),
    kinds: Object.assign([...lists.kinds], { [id]: kind }),
  });

  test("is recognised, also where reserved ids have no token", () => {
    expect(tokenizerFromLists(lists)).toBe(o200kHarmony());
    expect(tokenizerFromLists(changed(200_500, "[PAD200500]", "unused"))).toBe(o200kHarmony());
  });

  test("with one token changed is another one", () => {
    expect(tokenizerFromLists(changed(200_500, "<|mine|>")).bytes(200_500 as TokenId)).toEqual(
      new TextEncoder().encode("<|mine|>"),
    );
  });
});

describe("lists that make no tokenizer", () => {
  const refuse = (change: Partial<TokenLists>, message: RegExp): void => {
    let error: unknown;
    try {
      tokenizerFromLists({ ...tokenListsOf(micro, 2080), ...change });
    } catch (thrown) {
      error = thrown;
    }
    expect(GptOssError.isInstance(error) && [error.code, error.message]).toEqual([
      "tokenizer/bad-file",
      expect.stringMatching(message),
    ]);
  };
  const { tokens, kinds } = tokenListsOf(micro, 2080);

  test("of different lengths, with a token twice, or without harmony's", () => {
    refuse({ kinds: kinds.slice(1) }, /2080 tokens have 2079 kinds/);
    refuse({ tokens: Object.assign([...tokens], { 7: tokens[8] }) }, /listed twice/);
    refuse({ tokens: tokens.map((token) => token.replace("<|channel|>", "<|chanel|>")) }, /<\|channel\|>/);
    refuse({ merges: ["a b c"] }, /merge 0 should be two tokens/);
  });

  test("harmony's tokens are control tokens even where a file calls them text", () => {
    const tokenizer = tokenizerFromLists({
      ...tokenListsOf(micro, 2080),
      kinds: kinds.map(() => "ordinary"),
    });
    expect(tokenizer.isSpecial(tokenizer.special.end)).toBe(true);
    expect(tokenizer.encode("<|end|>")).not.toContain(tokenizer.special.end);
  });
});
