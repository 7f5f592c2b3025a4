import { describe, expect, test } from "vitest";
import { o200kHarmony, type TokenId } from "../tokenizer/index.ts";
import { createParser, type HarmonyEvent, type NoteKind, parseTokens, type Terminator } from "./index.ts";
import { marked } from "./testing/marked.ts";

const tokenizer = o200kHarmony();

interface Shape {
  readonly sampled: string;
  /** Channel, recipient and text of each message; the role too if it is not the assistant's. */
  readonly reads: readonly (readonly (string | undefined)[])[];
  readonly notes: readonly NoteKind[];
  readonly recipients?: readonly string[];
}

function read({ sampled, recipients }: Pick<Shape, "sampled" | "recipients">) {
  const { messages, notes } = parseTokens(
    marked(sampled, tokenizer),
    tokenizer,
    recipients && { recipients },
  );
  return {
    reads: messages.map(({ message: { role, channel, recipient, content } }) =>
      role === "assistant" ? [channel, recipient, content] : [channel, recipient, content, role],
    ),
    notes: notes.map(({ kind }) => kind),
  };
}

const final = "<|start|>assistant<|channel|>final<|message|>4<|return|>";
const answer = ["final", undefined, "4"];
const call = ["commentary", "functions.f", "{}"];

/** From issue trackers of harmony, vLLM, llama.cpp and others, and what people lost by each. */
const shapes: Record<string, Shape> = {
  "a well-formed turn has no notes": {
    sampled: `<|channel|>analysis<|message|>2+2<|end|>${final}`,
    reads: [["analysis", undefined, "2+2"], answer],
    notes: [],
  },
  "a recipient in the role section": {
    sampled: " to=functions.f<|channel|>commentary <|constrain|>json<|message|>{}<|call|>",
    reads: [call],
    notes: [],
  },
  "a recipient in the channel section": {
    sampled: "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
    reads: [call],
    notes: [],
  },
  "a tool called on the analysis channel": {
    sampled: "<|channel|>analysis to=functions.f code<|message|>{}<|call|>",
    reads: [["analysis", "functions.f", "{}"]],
    notes: [],
  },
  "a call ended by <|end|>: the recipient decides": {
    sampled: "<|channel|>commentary to=functions.f<|message|>{}<|end|>",
    reads: [call],
    notes: [],
  },
  "words left over in a header": {
    sampled: "<|channel|>commentary ––commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
    reads: [call],
    notes: ["header-junk"],
  },
  "a junk word where the official parser sees a recipient": {
    sampled: "<|channel|>commentary ––commentary<|message|>Hello<|end|>",
    reads: [["commentary", undefined, "Hello"]],
    notes: ["header-junk"],
  },
  "content type and recipient in the wrong order": {
    sampled: "<|channel|>commentary <|constrain|>json to=functions.f<|message|>{}<|call|>",
    reads: [call],
    notes: [],
  },
  "a space after <|constrain|>, as OpenAI's own example has it": {
    sampled: "<|channel|>commentary to=functions.f <|constrain|> json<|message|>{}<|call|>",
    reads: [call],
    notes: ["header-junk"],
  },
  "a space after to=": {
    sampled: "<|channel|>commentary to= functions.f<|message|>{}<|call|>",
    reads: [call],
    notes: ["header-junk"],
  },
  "a content type alone is no recipient: structured output needs it": {
    sampled: '<|channel|>final <|constrain|>json<|message|>{"a":1}<|return|>',
    reads: [["final", undefined, '{"a":1}']],
    notes: [],
  },
  "a channel marker leaks into the recipient": {
    sampled: " to=functions.f<|channel|>commentary<|channel|>analysis<|message|>{}<|call|>",
    reads: [call],
    notes: ["repeated-channel"],
  },
  "arguments leak into the recipient": {
    sampled: '<|channel|>commentary to=functions.f{"a"<|message|>{}<|call|>',
    reads: [call],
    notes: ["header-junk"],
  },
  "a doubled <|start|>": {
    sampled: `<|channel|>analysis<|message|>x<|end|><|start|>${final}`,
    reads: [["analysis", undefined, "x"], answer],
    notes: ["missing-role", "repeated-start"],
  },
  "<|start|>assistant again, though the prompt has it": { sampled: final, reads: [answer], notes: [] },
  "a header that begins again": {
    sampled: `<|channel|>final<|message|>x<|end|><|start|>assistant<|channel|>analysis${final}`,
    reads: [["final", undefined, "x"], answer],
    notes: ["repeated-start"],
  },
  "an empty channel": {
    sampled: "<|channel|><|message|>4<|return|>",
    reads: [[undefined, undefined, "4"]],
    notes: ["missing-channel"],
  },
  "an empty channel, then a channel": {
    sampled: "<|channel|><|channel|>final<|message|>4<|return|>",
    reads: [answer],
    notes: ["missing-channel"],
  },
  "a channel's name without its marker": {
    sampled: "<|channel|>analysis<|message|>x<|end|><|start|>assistant final<|message|>4<|return|>",
    reads: [["analysis", undefined, "x"], answer],
    notes: ["missing-channel"],
  },
  assistantfinal: {
    sampled: "<|channel|>analysis<|message|>x<|end|><|start|>assistantfinal<|message|>4<|return|>",
    reads: [["analysis", undefined, "x"], answer],
    notes: ["missing-channel"],
  },
  "a channel with something stuck to it": {
    sampled: "<|channel|>finalassistant<|message|>4<|return|>",
    reads: [answer],
    notes: ["unknown-channel"],
  },
  "commentary?": {
    sampled: "<|channel|>commentary?<|message|>4<|return|>",
    reads: [["commentary", undefined, "4"]],
    notes: ["unknown-channel"],
  },
  "a channel that does not exist is shown, not hidden": {
    sampled: "<|channel|>summary<|message|>4<|return|>",
    reads: [["commentary", undefined, "4"]],
    notes: ["unknown-channel"],
  },
  "a recipient stuck to the channel": {
    sampled: "<|channel|>commentaryto=functions.f<|message|>{}<|call|>",
    reads: [call],
    notes: ["unknown-channel"],
  },
  "a control token after the answer does not throw it away": {
    sampled: "<|channel|>final<|message|>4<|end|><|return|><|call|><|endoftext|>",
    reads: [answer],
    notes: ["stray-token", "stray-token", "stray-token"],
  },
  "text between messages": {
    sampled: `<|channel|>analysis<|message|>x<|end|>to be sure${final}`,
    reads: [["analysis", undefined, "x"], ["analysis", undefined, "to be sure"], answer],
    notes: ["missing-start", "missing-role", "repeated-start"],
  },
  "blanks between messages": {
    sampled: `<|channel|>analysis<|message|>x<|end|>\n\n${final}`,
    reads: [["analysis", undefined, "x"], answer],
    notes: ["missing-start"],
  },
  "a missing <|start|>": {
    sampled: "<|channel|>analysis<|message|>x<|end|>assistant<|channel|>final<|message|>4<|return|>",
    reads: [["analysis", undefined, "x"], answer],
    notes: ["missing-start"],
  },
  "no header between two texts": {
    sampled: "<|channel|>final<|message|>x<|end|><|message|>4<|return|>",
    reads: [["final", undefined, "x"], answer],
    notes: ["missing-start", "missing-role"],
  },
  "a missing role": {
    sampled: "<|channel|>analysis<|message|>x<|end|><|start|><|channel|>final<|message|>4<|return|>",
    reads: [["analysis", undefined, "x"], answer],
    notes: ["missing-role"],
  },
  "a missing <|end|> before a channel": {
    sampled: "<|channel|>analysis<|message|>x<|channel|>final<|message|>4<|return|>",
    reads: [["analysis", undefined, "x"], answer],
    notes: ["unterminated-message"],
  },
  "a missing <|end|> before a message": {
    sampled: `<|channel|>analysis<|message|>x${final}`,
    reads: [["analysis", undefined, "x"], answer],
    notes: ["unterminated-message"],
  },
  "an end inside a header": {
    sampled: `<|channel|>final<|end|>${final}`,
    reads: [["final", undefined, ""], answer],
    notes: ["unfinished-header"],
  },
  "a call without <|message|>": {
    sampled: '<|channel|>commentary to=functions.f <|constrain|>json {"a": 1}<|call|>',
    reads: [["commentary", "functions.f", '{"a": 1}']],
    notes: ["unfinished-header"],
  },
  "a call of a function without arguments, without <|message|>": {
    sampled: "<|channel|>commentary to=functions.f<|call|>",
    reads: [["commentary", "functions.f", ""]],
    notes: ["unfinished-header"],
  },
  "an answer without any markup": {
    sampled: "The answer is 4.\n\nThat is, two and two make four, as everybody knows.",
    reads: [
      [undefined, undefined, "The answer is 4.\n\nThat is, two and two make four, as everybody knows."],
    ],
    notes: ["unfinished-header"],
  },
  "a short answer without any markup": {
    sampled: "4",
    reads: [[undefined, undefined, "4"]],
    notes: ["unfinished-header"],
  },
  "a text that forgot <|message|>": {
    sampled: "<|channel|>analysisWe need to add the two numbers that were given, then answer.<|end|>" + final,
    reads: [["analysis", undefined, "We need to add the two numbers that were given, then answer."], answer],
    notes: ["unknown-channel", "unfinished-header"],
  },
  "a text in the place of the channel": {
    sampled: "<|channel|>Sure, here it is<|return|>",
    reads: [[undefined, undefined, "Sure, here it is"]],
    notes: ["missing-channel", "unfinished-header"],
  },
  "a late <|message|>": {
    sampled: "<|channel|>final one two three four five six seven eight nine<|message|> ten<|return|>",
    reads: [["final", undefined, "one two three four five six seven eight nine ten"]],
    notes: ["unfinished-header", "stray-token"],
  },
  "the tokens end inside a header, after text": {
    sampled: "<|channel|>analysis We need",
    reads: [["analysis", undefined, "We need"]],
    notes: ["unfinished-header"],
  },
  "the tokens end inside a header, before any text": {
    sampled: "<|channel|>final",
    reads: [],
    notes: ["unfinished-header"],
  },
  "the tokens end inside a role": {
    sampled: "<|channel|>analysis<|message|>x<|end|><|start|>assist",
    reads: [["analysis", undefined, "x"]],
    notes: ["missing-role"],
  },
  "no tokens at all": { sampled: "", reads: [], notes: [] },
  "a user that the model made up": {
    sampled: "<|channel|>final<|message|>4<|end|><|start|>user<|message|>Thanks!<|end|>",
    reads: [answer, [undefined, undefined, "Thanks!", "user"]],
    notes: ["unexpected-role"],
  },
  "other control tokens are text, as the official parser has it": {
    sampled: "<|channel|>final<|message|>a<|message|>b<|constrain|>c<|return|>",
    reads: [["final", undefined, "a<|message|>b<|constrain|>c"]],
    notes: ["control-in-text", "control-in-text"],
  },
  "<|endoftext|> ends a text": {
    sampled: "<|channel|>final<|message|>4<|endoftext|>",
    reads: [answer],
    notes: [],
  },
};

describe("shapes that models produce", () => {
  test.each(Object.entries(shapes))("%s", (_, shape) => {
    expect(read(shape)).toEqual({ reads: shape.reads, notes: shape.notes });
  });
});

const recipients = [
  "functions.get_weather",
  "functions.web-browsing",
  "functions.docs__find",
  "functions.docs__open",
  "functions.files__open",
  "browser.search",
  "python",
];

describe("recipients, when the tools are known", () => {
  test.each([
    ["functions.get_weather", "functions.get_weather", []],
    ["get_weather", "functions.get_weather", ["renamed-recipient"]],
    ["functions.browser.search", "browser.search", ["renamed-recipient"]],
    ["functions.python", "python", ["renamed-recipient"]],
    ["functions.get-weather", "functions.get_weather", ["renamed-recipient"]],
    ["functions.Get_Weather", "functions.get_weather", ["renamed-recipient"]],
    ["functions.web_browsing", "functions.web-browsing", ["renamed-recipient"]],
    ["functions.find", "functions.docs__find", ["renamed-recipient"]],
    ["functions.open", "functions.open", ["unknown-recipient"]],
    ["functions.get_whether", "functions.get_whether", ["unknown-recipient"]],
    ["user", "user", []],
  ])("to=%s is %s", (recipient, readAs, notes) => {
    const sampled = `<|channel|>commentary to=${recipient}<|message|>{}<|call|>`;
    expect(read({ sampled, recipients })).toEqual({ reads: [["commentary", readAs, "{}"]], notes });
  });

  test("words of an answer are not taken for recipients", () => {
    const sampled = "<|channel|>final answer follows<|message|>4<|return|>";
    expect(read({ sampled, recipients: [] })).toEqual({ reads: [answer], notes: ["header-junk"] });
    const code = "<|channel|>analysis code<|message|>4<|end|>";
    expect(read({ sampled: code, recipients: [...recipients, "functions.docs__code"] })).toEqual({
      reads: [["analysis", undefined, "4"]],
      notes: [],
    });
    // Without knowing the tools, as the official parser reads it.
    expect(read({ sampled: code }).reads).toEqual([["analysis", "code", "4"]]);
  });

  test("a bare recipient that is a tool is one", () => {
    const sampled = "<|channel|>analysis python code<|message|>1<|call|>";
    expect(read({ sampled, recipients }).reads).toEqual([["analysis", "python", "1"]]);
  });
});

test.each<[string, Terminator]>([
  ["<|end|>", "end"],
  ["<|return|>", "return"],
  ["<|call|>", "call"],
  ["<|endoftext|>", "eos"],
  ["", "eos"],
  ["<|start|>assistant<|channel|>final<|message|>", "implicit"],
])("what ended a message is recorded: %s", (end, terminator) => {
  const tokens = marked(`<|channel|>analysis<|message|>x${end}`, tokenizer);
  expect(parseTokens(tokens, tokenizer).messages[0].terminator).toBe(terminator);
});

test("a user sees each character as soon as it is certain, and never half of one", () => {
  const tokens = marked("<|channel|>final<|message|>a💖b<|return|>", tokenizer);
  const parser = createParser(tokenizer);
  const events = tokens.map((token) => parser.push(token));
  const described = events.flat().map((event) => (event.type === "text-delta" ? event.text : event.type));
  expect(described).toEqual(["message-start", "a", "💖", "b", "message-end"]);
  expect(events[0]).toEqual([]);
  expect(events.at(-1)![0].type).toBe("message-end");
});

test("what was held back comes as a delta before the end: the text and its deltas never differ", () => {
  const half = 9552 as TokenId;
  const tokens = [...marked("<|channel|>final<|message|>", tokenizer), half, tokenizer.special.return];
  const parser = createParser(tokenizer);
  const events = tokens.flatMap((token) => parser.push(token));
  const deltas = events.flatMap((event) => (event.type === "text-delta" ? [event.text] : []));
  expect(deltas).toEqual([" ", "\uFFFD"]);
  expect(parser.messages[0].message.content).toBe(" \uFFFD");
});

test("an answer without markup streams instead of waiting for the end", () => {
  const tokens = tokenizer.encode("word ".repeat(1000));
  const parser = createParser(tokenizer);
  const first = tokens.findIndex((token) => parser.push(token).length > 0);
  expect(first).toBeLessThan(12);
});

test("a start says everything that a client needs to route the text", () => {
  const tokens = marked("<|channel|>commentary to=functions.f <|constrain|>json<|message|>", tokenizer);
  const parser = createParser(tokenizer);
  const events: HarmonyEvent[] = tokens.flatMap((token) => parser.push(token));
  expect(events).toEqual([
    {
      type: "message-start",
      index: 0,
      role: "assistant",
      channel: "commentary",
      recipient: "functions.f",
      contentType: "<|constrain|>json",
    },
  ]);
});

test("every token of a message is kept, for replaying it", () => {
  const first = marked("<|channel|>analysis<|message|>x<|end|>", tokenizer);
  const second = marked(final, tokenizer);
  const { messages } = parseTokens([...first, ...second], tokenizer);
  expect(messages.map(({ tokens }) => tokens)).toEqual([first, second]);
});

test("notes say where", () => {
  const { notes } = parseTokens(
    marked("<|channel|>final<|message|>4<|end|><|return|>", tokenizer),
    tokenizer,
  );
  const { return: token } = tokenizer.special;
  expect(notes).toEqual([{ kind: "stray-token", at: 5, token, text: "<|return|>" }]);
});

test("a megabyte of blanks between messages takes no time worth mentioning", () => {
  const blank = tokenizer.encode("\n")[0];
  const tokens = [
    ...marked("<|channel|>final<|message|>4<|end|>", tokenizer),
    ...Array.from({ length: 200_000 }, () => blank),
  ];
  expect(parseTokens(tokens, tokenizer).messages).toHaveLength(1);
});
