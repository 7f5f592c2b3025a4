// The test data of openai/harmony itself, under test/golden/harmony/openai.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { o200kHarmony, type TokenId } from "../tokenizer/index.ts";
import {
  browserNamespace,
  type Conversation,
  type Message,
  parseTokens,
  pythonNamespace,
  type ReasoningEffort,
  renderConversation,
  renderForCompletion,
  type SystemContent,
} from "./index.ts";
import { marked } from "./testing/marked.ts";

const tokenizer = o200kHarmony();

function golden(name: string): string {
  return readFileSync(`test/golden/harmony/openai/test_${name}.txt`, "utf8").trimEnd();
}

function expectPrompt(
  conversation: Conversation,
  name: string,
  analysis: "drop-finished" | "keep" = "drop-finished",
) {
  const tokens = renderForCompletion(conversation, tokenizer, { analysis });
  expect(tokenizer.decode(tokens)).toBe(golden(name));
  expect(tokens).toEqual(marked(golden(name), tokenizer));
}

const user = (content: string): Message => ({ role: "user", content });
const system = (content: SystemContent): Message => ({ role: "system", content });
const assistant = (channel: "analysis" | "final", content: string): Message => ({
  role: "assistant",
  channel,
  content,
});

test("simple_convo", () => expectPrompt([system({}), user("What is 2 + 2?")], "simple_convo"));

test.each<ReasoningEffort>(["low", "medium", "high"])("simple_convo at effort %s", (reasoningEffort) => {
  const question = user("What is the capital of the largest country in the world?");
  const instructions = "Answer the user's questions like a robot.";
  const developer: Message = { role: "developer", content: { instructions } };
  expectPrompt(
    [system({ reasoningEffort }), question],
    `simple_convo_${reasoningEffort}_effort_no_instruction`,
  );
  expectPrompt([system({ reasoningEffort }), developer, question], `simple_convo_${reasoningEffort}_effort`);
});

const channelConfig = { validChannels: ["analysis", "final"], channelRequired: true };

test("reasoning_system_message", () => {
  expectPrompt([system({ channelConfig }), user("What is 2 + 2?")], "reasoning_system_message");
  expectPrompt(
    [
      system({ channelConfig, reasoningEffort: "high" }),
      user("What is the best place to eat candy in the world?"),
    ],
    "reasoning_system_message_no_instruction",
  );
  expectPrompt(
    [
      system({ channelConfig, conversationStartDate: "2021-01-01", knowledgeCutoff: "2021-01" }),
      user("What is 42 * pi?"),
    ],
    "reasoning_system_message_with_dates",
  );
});

test("render_functions_with_parameters: schemas become the TypeScript the model was trained on", () => {
  const format = { type: "string", enum: ["celsius", "fahrenheit"], default: "celsius" };
  const place = { type: "string", description: "The city and state, e.g. San Francisco, CA" };
  const places = {
    type: "array",
    items: { type: "string" },
    description: 'List of city and state, e.g. ["San Francisco, CA", "New York, NY"]',
  };
  const kitchensink = {
    description: "params object",
    type: "object",
    properties: {
      string: { type: "string", title: "STRING", description: "A string", examples: ["hello", "world"] },
      string_nullable: {
        type: "string",
        nullable: true,
        description: "A nullable string",
        default: "the default",
      },
      string_enum: { type: "string", enum: ["a", "b", "c"] },
      oneof_string_or_number: {
        oneOf: [
          { type: "string", default: "default_string_in_oneof" },
          { type: "number", description: "numbers can happen too" },
        ],
        description: "a oneof",
        default: 20,
      },
    },
  };
  const tools = [
    { name: "get_location", description: "Gets the location of the user." },
    {
      name: "get_current_weather",
      description: "Gets the current weather in the provided location.",
      parameters: { type: "object", properties: { location: place, format }, required: ["location"] },
    },
    {
      name: "get_multiple_weathers",
      description: "Gets the current weather in the provided list of locations.",
      parameters: { type: "object", properties: { locations: places, format }, required: ["locations"] },
    },
    { name: "kitchensink", description: "A function with various complex schemas.", parameters: kitchensink },
  ];
  expectPrompt(
    [
      system({ reasoningEffort: "high", conversationStartDate: "2025-06-28" }),
      {
        role: "developer",
        content: { instructions: "Always respond in riddles", tools: { functions: { tools } } },
      },
      user("What is the weather like in SF?"),
    ],
    "render_functions_with_parameters",
  );
});

test("the built-in tools, in exactly OpenAI's words", () => {
  const conversationStartDate = "2025-06-28";
  const browser = browserNamespace();
  const python = pythonNamespace();
  expectPrompt([system({ conversationStartDate })], "no_tools");
  expectPrompt([system({ conversationStartDate, tools: { browser } })], "browser_tool_only");
  expectPrompt([system({ conversationStartDate, tools: { python, browser } })], "browser_and_python_tool");
  const lookup = {
    name: "lookup_weather",
    description:
      "Use this tool to lookup the weather in a given location. Call it with the parameter 'location', can be any textual description of a location.",
    parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
  };
  expectPrompt(
    [
      system({ conversationStartDate, tools: { browser } }),
      { role: "developer", content: { tools: { functions: { tools: [lookup] } } } },
    ],
    "browser_and_function_tool",
  );
});

test("dropping_cot_by_default and preserve_cot", () => {
  const dropped = [
    user("What is 2 + 2?"),
    assistant("analysis", "User asks: “What is 2 + 2?” Simple arithmetic. Provide answer."),
    assistant("final", "2 + 2 equals 4."),
    user("What about 9 / 2?"),
  ];
  expectPrompt(dropped, "dropping_cot_by_default");
  const preserved = dropped.with(
    1,
    assistant("analysis", 'User asks a simple question: "What is 2 + 2?" The answer: 4.'),
  );
  expectPrompt(preserved, "preserve_cot", "keep");
});

test("does_not_drop_if_ongoing_analysis", () => {
  expectPrompt(
    [
      user("What is the weather in SF?"),
      assistant("analysis", "User asks: “What is the weather in SF?” We need to use lookup_weather tool."),
      {
        role: "assistant",
        channel: "commentary",
        recipient: "functions.lookup_weather",
        contentType: "<|constrain|>json",
        content: '{"location": "San Francisco"}',
      },
      {
        role: "tool",
        name: "functions.lookup_weather",
        content: '{"temperature": 20, "description": "sunny"}',
      },
    ],
    "does_not_drop_if_ongoing_analysis",
  );
});

test("keep_analysis_between_finals: a rendering without a next turn keeps the last turn whole", () => {
  const tokens = renderConversation(
    [
      user("What is 2 + 2?"),
      assistant("analysis", "thinking 2+2"),
      assistant("final", "4"),
      user("What is 3 + 5?"),
      assistant("analysis", "thinking 3+5"),
      assistant("final", "8"),
    ],
    tokenizer,
  );
  expect(tokens).toEqual(marked(golden("keep_analysis_between_finals"), tokenizer));
});

const ids = (text: string): TokenId[] => text.split(/\s+/).map((id) => Number(id) as TokenId);
const messagesOf = (tokens: TokenId[]) =>
  parseTokens(tokens, tokenizer).messages.map(({ message }) => message);

test("simple_reasoning_response and simple_tool_call, from their token ids", () => {
  expect(messagesOf(ids(golden("simple_reasoning_response")))).toEqual([
    assistant("analysis", 'User asks: "What is 2 + 2?" Simple arithmetic. Provide answer.'),
    assistant("final", "2 + 2 = 4."),
  ]);
  expect(messagesOf(ids(golden("simple_tool_call")))).toEqual([
    assistant("analysis", 'User asks: "What is the weather in Tokyo?" We need to use lookup_weather tool.'),
    {
      role: "assistant",
      channel: "analysis",
      recipient: "lookup_weather",
      contentType: "code",
      content: '{"location": "Tokyo"}',
    },
  ]);
});

test("streamable_parser and tool_response_parsing", () => {
  const messages = messagesOf(marked(golden("streamable_parser"), tokenizer));
  expect(messages.map(({ role, name, recipient }) => [role, name, recipient])).toEqual([
    ["assistant", undefined, undefined],
    ["assistant", undefined, "browser.search"],
    ["tool", "browser.search", "assistant"],
  ]);
  expect(messagesOf(marked(golden("tool_response_parsing"), tokenizer))).toEqual([
    {
      role: "tool",
      name: "browser.search",
      recipient: "assistant",
      channel: "commentary",
      content: '{"result": "https://openai.com/"}',
    },
  ]);
});

test.each([
  "<|start|>assistant to=functions.f<|channel|>commentary<|constrain|>json<|message|>{}<|end|>",
  "<|start|>assistant<|channel|>commentary to=functions.f<|constrain|>json<|message|>{}<|call|>",
])("a content type may be glued to the recipient: %s", (text) => {
  expect(messagesOf(marked(text, tokenizer))).toEqual([
    {
      role: "assistant",
      channel: "commentary",
      recipient: "functions.f",
      contentType: "<|constrain|>json",
      content: "{}",
    },
  ]);
});

const refusal = [
  ["I must refuse", { role: "assistant", content: "I must refuse" }],
  ["<|channel|>analysis I must refuse", assistant("analysis", "I must refuse")],
  ["<|channel|>commentary Hello", { role: "assistant", channel: "commentary", content: "Hello" }],
] as const;

test.each(refusal)("what the official parser accepts only when not strict: %s<|end|>", (text, expected) => {
  const rest = "<|start|>assistant<|channel|>final<|message|>No.<|return|>";
  const messages = messagesOf(marked(`${text}<|end|>${rest}`, tokenizer));
  expect(messages).toEqual([expected, assistant("final", "No.")]);
});

const cut = 9552 as TokenId; // a space and the first two bytes of an emoji

test.each([
  [[cut, cut], "worked", " \uFFFD \uFFFDworked"],
  [[cut], "XY", " \uFFFDXY"],
  [[cut], " interesting", " \uFFFD interesting"],
])("bytes that are not UTF-8 become U+FFFD and take nothing with them: %s %s", (broken, text, expected) => {
  const begin = marked("<|start|>assistant<|message|>", tokenizer);
  const end = marked("<|end|><|start|>assistant<|message|>Hi<|end|>", tokenizer);
  const messages = messagesOf([...begin, ...broken, ...tokenizer.encode(text), ...end]);
  expect(messages.map(({ content }) => content)).toEqual([expected, "Hi"]);
});

test("an id outside the vocabulary is one U+FFFD, and what follows it is still read", () => {
  const begin = marked("<|start|>assistant<|channel|>analysis<|message|>Practice.", tokenizer);
  const { messages, notes } = parseTokens(
    [...begin, 0xffffffff as TokenId, ...tokenizer.encode(" Go on.")],
    tokenizer,
  );
  expect(messages[0].message.content).toBe("Practice.\uFFFD Go on.");
  expect(notes).toEqual([{ kind: "unknown-token", at: begin.length, token: 0xffffffff }]);
});
