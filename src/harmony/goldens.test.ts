import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { o200kHarmony, type TokenId } from "../tokenizer/index.ts";
import {
  conversationFromJson,
  conversationToJson,
  type MessageJson,
  parseTokens,
  renderForCompletion,
} from "./index.ts";

interface Golden {
  readonly name: string;
  readonly messages: readonly MessageJson[];
  readonly tokens: TokenId[];
  readonly text: string;
}

const goldens = JSON.parse(readFileSync("test/golden/harmony/rendered.json", "utf8")) as Golden[];
const tokenizer = o200kHarmony();

test("there are 60 conversations rendered by the official library", () => expect(goldens).toHaveLength(60));

test.each(goldens)("$name renders as the official library renders it, token for token", (golden) => {
  const conversation = conversationFromJson({ messages: golden.messages });
  const tokens = renderForCompletion(conversation, tokenizer, { analysis: "keep" });
  expect(tokenizer.decode(tokens)).toBe(golden.text);
  expect(tokens).toEqual(golden.tokens);
});

test.each(goldens)("$name survives being written as JSON and read back", (golden) => {
  const conversation = conversationFromJson({ messages: golden.messages });
  const again = conversationFromJson(JSON.stringify(conversationToJson(conversation)));
  expect(again).toEqual(conversation);
});

test.each(goldens)("$name parses back into its messages, without a note", (golden) => {
  const { messages, notes } = parseTokens(golden.tokens, tokenizer);
  expect(notes).toEqual([]);
  const expected = conversationFromJson({ messages: golden.messages });
  messages.forEach(({ message, tokens }, index) => {
    const { content } = expected[index];
    // Structured content reads back as its text.
    expect(message).toEqual({
      ...expected[index],
      content: typeof content === "string" ? content : textIn(tokens),
    });
  });
  expect(messages).toHaveLength(expected.length);
});

function textIn(tokens: readonly TokenId[]): string {
  return tokenizer.decode(tokens.slice(tokens.indexOf(tokenizer.special.message) + 1, -1));
}
