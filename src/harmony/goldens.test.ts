import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { o200kHarmony, type TokenId } from "../tokenizer/index.ts";
import {
  conversationFromJson,
  conversationToJson,
  type MessageJson,
  type NoteKind,
  parseTokens,
  renderForCompletion,
  schemaToTypeScript,
} from "./index.ts";

interface Golden {
  readonly name: string;
  readonly messages: readonly MessageJson[];
  readonly tokens: TokenId[];
  readonly text: string;
}

function read<T>(name: string): T[] {
  return JSON.parse(readFileSync(`test/golden/harmony/${name}.json`, "utf8")) as T[];
}

const goldens = read<Golden>("rendered");
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

test("250 random JSON Schemas become TypeScript as the official library writes it", () => {
  const schemas = read<{ schema: unknown; text: string }>("schemas");
  expect(schemas).toHaveLength(250);
  for (const { schema, text } of schemas) expect(schemaToTypeScript(schema)).toBe(text);
});

test("150 conversations with unusual headers, parts and namespaces render token for token", () => {
  const conversations = read<{ messages: MessageJson[]; tokens: TokenId[] }>("headers");
  expect(conversations).toHaveLength(150);
  for (const { messages, tokens } of conversations) {
    const rendered = renderForCompletion(conversationFromJson({ messages }), tokenizer, { analysis: "keep" });
    expect(tokenizer.decode(rendered)).toBe(tokenizer.decode(tokens));
    expect(rendered).toEqual(tokens);
  }
});

interface OfficialParse {
  readonly isWellFormed: boolean;
  readonly role: "assistant" | null;
  readonly tokens: TokenId[];
  /** null where the official parser refuses. */
  readonly messages: MessageJson[] | null;
}

const parses = read<OfficialParse>("parsed");
const official = (messages: MessageJson[]) => conversationFromJson({ messages });
const ours = (tokens: TokenId[]) => parseTokens(tokens, tokenizer);

/** Notes on what is read as the official parser reads it. */
const harmless: readonly NoteKind[] = ["unexpected-role", "control-in-text", "stray-token"];

test("well-formed tokens are read as the official parser reads them", () => {
  const wellFormed = parses.filter(({ isWellFormed }) => isWellFormed);
  expect(wellFormed.length).toBeGreaterThan(350);
  for (const { tokens, messages } of wellFormed) {
    const parsed = ours(tokens);
    expect(parsed.messages.map(({ message }) => message)).toEqual(official(messages!));
    expect(parsed.notes.filter(({ kind }) => kind !== "unexpected-role")).toEqual([]);
  }
});

test("mutated tokens are read as the official parser reads them, or a note says what is odd", () => {
  const mutated = parses.filter(({ isWellFormed, messages }) => !isWellFormed && messages !== null);
  let agreed = 0;
  for (const { tokens, messages } of mutated) {
    const parsed = ours(tokens);
    const expected = official(messages!);
    const read = parsed.messages.map(({ message }) => message);
    // A deliberate deviation that is not odd: a content type alone in a header is no recipient.
    const loneContentType = expected.some(({ recipient }) => recipient?.startsWith("<|constrain|>"));
    if (loneContentType || parsed.notes.some(({ kind }) => !harmless.includes(kind))) {
      if (JSON.stringify(read) === JSON.stringify(expected)) agreed++;
      continue;
    }
    expect(read, tokenizer.decode(tokens)).toEqual(expected);
    agreed++;
  }
  expect(mutated.length).toBeGreaterThan(200);
  expect(agreed / mutated.length).toBeGreaterThan(0.5);
});

test("nothing that the official parser refuses is lost: all of its text is in a message or a note", () => {
  const refused = parses.filter(({ messages }) => messages === null);
  expect(refused.length).toBeGreaterThan(200);
  for (const { tokens } of refused) {
    const { messages, notes } = ours(tokens);
    const said = JSON.stringify([messages, notes]);
    for (const word of ["Hello", "tokyo", "there", "extra"])
      if (tokenizer.decode(tokens).includes(word)) expect(said, tokenizer.decode(tokens)).toContain(word);
  }
});
