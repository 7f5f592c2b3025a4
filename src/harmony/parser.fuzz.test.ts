// Whatever comes, it is messages: thousands of token sequences with fixed seeds.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { type Random, random } from "../base/index.ts";
import { o200kHarmony, type TokenId } from "../tokenizer/index.ts";
import {
  createParser,
  type HarmonyEvent,
  type Message,
  type ParsedMessage,
  parseTokens,
  renderConversation,
  sampledHistory,
} from "./index.ts";
import { marked } from "./testing/marked.ts";

const tokenizer = o200kHarmony();
const recipients = ["functions.get_weather", "browser.search", "python"];

const goldens = (
  JSON.parse(readFileSync("test/golden/harmony/rendered.json", "utf8")) as { tokens: TokenId[] }[]
).map(({ tokens }) => tokens);

const below = (numbers: Random, limit: number): number => Math.floor(numbers.float() * limit);
const pick = <T>(numbers: Random, list: readonly T[]): T => list[below(numbers, list.length)];

const fragments = [
  "<|start|>",
  "<|start|>assistant",
  "<|start|>user",
  "<|channel|>",
  "<|channel|>analysis",
  "<|channel|>final",
  "<|message|>",
  "<|end|>",
  "<|return|>",
  "<|call|>",
  "<|constrain|>",
  "<|constrain|>json",
  "<|startoftext|>",
  "<|endoftext|>",
  " to=functions.get_weather",
  "to=",
  "assistant",
  "functions.browser.search",
  "commentary",
  "final answer",
  " json",
  " ",
  "\n\n",
  "some words of an answer",
  "👨‍👩‍👧 東京",
  '{"a":',
].map((fragment) => marked(fragment, tokenizer));

const oddIds = [
  -1,
  1.5,
  Number.NaN,
  199_999,
  200_001,
  201_087,
  201_088,
  9_999_999,
  0xffffffff,
  9552,
  132_990,
];

function anyTokens(numbers: Random): TokenId[] {
  return Array.from({ length: below(numbers, 60) }, () => {
    const kind = below(numbers, 4);
    if (kind === 0) return pick(numbers, oddIds) as TokenId;
    return (kind === 1 ? 199_998 + below(numbers, 20) : below(numbers, 200_000)) as TokenId;
  });
}

function soup(numbers: Random): TokenId[] {
  return Array.from({ length: 1 + below(numbers, 15) }, () => pick(numbers, fragments)).flat();
}

function mutated(numbers: Random): TokenId[] {
  const golden = pick(numbers, goldens);
  const begin = below(numbers, golden.length);
  const tokens = golden.slice(begin, begin + 120);
  for (let times = 1 + below(numbers, 6); times > 0; times--) {
    const at = below(numbers, tokens.length);
    const other = below(numbers, tokens.length);
    const action = below(numbers, 4);
    if (action === 0) tokens.splice(at, 1);
    else if (action === 1) tokens.splice(at, 0, tokens[at]);
    else if (action === 2) [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
    else tokens.splice(at, 0, ...pick(numbers, fragments));
  }
  return tokens.filter((token) => token !== undefined);
}

// Plain checks: `expect` on every delta would take most of the time.
function claim(isTrue: boolean, what: string): void {
  if (!isTrue) throw new Error(what);
}

function claimSame(one: unknown, other: unknown, what: string): void {
  if (JSON.stringify(one) !== JSON.stringify(other)) expect(one, what).toEqual(other);
}

const halfPair = /^[\uDC00-\uDFFF]|[\uD800-\uDBFF]$/;

/** The events of a message are one start, deltas, one end, and the deltas are its text. */
function foldEvents(events: readonly HarmonyEvent[]): ParsedMessage[] {
  const messages: ParsedMessage[] = [];
  let open: { header: object; text: string } | undefined;
  for (const event of events) {
    claim(event.index === messages.length, "messages are counted");
    if (event.type === "message-start") {
      claim(open === undefined, "a start follows an end");
      const { type: _, index: __, ...header } = event;
      open = { header, text: "" };
    } else if (event.type === "text-delta") {
      claim(event.text !== "" && !halfPair.test(event.text), "a delta is text");
      open!.text += event.text;
    } else {
      claimSame(event.parsed.message, { ...open!.header, content: open!.text }, "the deltas are the text");
      messages.push(event.parsed);
      open = undefined;
    }
  }
  claim(open === undefined, "every message ends");
  return messages;
}

function check(tokens: readonly TokenId[], options: { recipients?: readonly string[] }): void {
  const parser = createParser(tokenizer, options);
  const folded = foldEvents([...tokens.flatMap((token) => parser.push(token)), ...parser.finish()]);
  const once = parseTokens(tokens, tokenizer, options);
  claimSame(folded, once.messages, "events and messages agree");
  claimSame(parser.messages, once.messages, "token by token and all at once agree");
  claimSame(parser.notes, once.notes, "the same notes");
  claim(parser.finish().length === 0, "an end ends");
  claimInOrder(
    once.messages.flatMap((parsed) => parsed.tokens),
    tokens,
  );
  const notes = new Set(once.notes);
  claim(
    once.messages.every((parsed) => parsed.notes.every((note) => notes.has(note))),
    "notes of messages",
  );
  claim(
    once.messages.every(({ message: { role, name } }) => role !== "tool" || name !== undefined),
    "tools are named",
  );
  sampledHistory(once.messages, tokenizer);
  claimRepaired(once.messages.map(({ message }) => message));
}

function claimInOrder(part: readonly TokenId[], whole: readonly TokenId[]): void {
  let at = 0;
  for (const token of whole) if (at < part.length && Object.is(part[at], token)) at++;
  claim(at === part.length, "the tokens of messages are those that came");
}

/** What was repaired is whole: the assistant's messages, rendered, parse into themselves. */
function claimRepaired(messages: readonly Message[]): void {
  // A plain word alone in a header reads as a recipient, in the official parser too.
  const isAmbiguous = ({ recipient, contentType = "<" }: Message) =>
    recipient === undefined && !contentType.startsWith("<");
  const said = messages.filter((message) => message.role === "assistant" && !isAmbiguous(message));
  const again = parseTokens(renderConversation(said, tokenizer, { analysis: "keep" }), tokenizer);
  const parsed = again.messages.map(({ message }) => message);
  if (parsed.length !== said.length || said.some((message, index) => !isSame(message, parsed[index])))
    expect(parsed, "repaired messages are whole").toEqual(said);
}

function isSame(one: Message, other: Message): boolean {
  return (["name", "channel", "recipient", "contentType", "content"] as const).every(
    (key) => one[key] === other[key],
  );
}

const runs = 2500;

test.each([
  ["any ids, also outside the vocabulary", anyTokens, 1],
  ["a soup of markup and words", soup, 2],
  ["real renderings, mutated", mutated, 3],
] as const)(`${runs} sequences of %s`, (_, make, seed) => {
  const numbers = random(seed);
  for (let run = 0; run < runs; run++) {
    const tokens = make(numbers);
    try {
      check(tokens, numbers.float() < 0.5 ? { recipients } : {});
    } catch (error) {
      throw new Error(`seed ${seed}, run ${run}: ${JSON.stringify(tokenizer.decode(tokens))}`, {
        cause: error,
      });
    }
  }
});

test("every cut of a real turn is read, and no text is lost or changed by where it was cut", () => {
  const turn = marked(
    "<|channel|>analysis<|message|>Look it up: 東京 👨‍👩‍👧.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{}<|call|>",
    tokenizer,
  );
  const whole = parseTokens(turn, tokenizer).messages;
  for (let length = 0; length <= turn.length; length++) {
    const cut = parseTokens(turn.slice(0, length), tokenizer).messages;
    cut.forEach(({ message }, index) => {
      const { content, ...header } = whole[index].message;
      expect(content.startsWith(message.content.replace(/\uFFFD$/, ""))).toBe(true);
      if (message.content !== "") expect(message).toEqual({ ...header, content: message.content });
    });
  }
});
