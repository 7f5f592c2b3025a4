import { expect, test } from "vitest";
import { HttpError } from "../errors.ts";
import { createThoughtMemory } from "../thoughts.ts";
import { contentText, effortOf, type Said, toConversation, toolChoiceOf, toolSetOf } from "./index.ts";

const conversation = (said: readonly Said[], instructions?: string) =>
  toConversation(said, {
    thoughts: createThoughtMemory().of("model", undefined),
    ...(instructions !== undefined && { instructions }),
  }).messages;

test("what is said becomes the channels and names that the model was trained on", () => {
  const messages = conversation(
    [
      { type: "developer", text: "Be kind." },
      { type: "user", text: "Weather?" },
      { type: "reasoning", text: "Hm." },
      { type: "answer", text: "Let me look.", isPreamble: true },
      { type: "call", callId: "c", name: "f", arguments: "{}" },
      { type: "result", callId: "c", output: "sunny", param: "input[5]" },
      { type: "answer", text: "Sunny." },
      { type: "developer", text: "Be brief." },
    ],
    "Be a pirate.",
  );
  expect(messages).toEqual([
    { role: "developer", content: { instructions: "Be a pirate.\n\nBe kind." } },
    { role: "user", content: "Weather?" },
    { role: "assistant", channel: "analysis", content: "Hm." },
    { role: "assistant", channel: "commentary", content: "Let me look." },
    {
      role: "assistant",
      recipient: "functions.f",
      channel: "commentary",
      contentType: "<|constrain|>json",
      content: "{}",
    },
    { role: "tool", name: "functions.f", recipient: "assistant", channel: "commentary", content: "sunny" },
    { role: "assistant", channel: "final", content: "Sunny." },
    { role: "developer", content: { instructions: "Be brief." } },
  ]);
});

test("empty instructions are instructions, none are none, and empty thoughts are nothing", () => {
  expect(conversation([], "")).toEqual([{ role: "developer", content: { instructions: "" } }]);
  expect(conversation([{ type: "reasoning", text: "" }])).toEqual([]);
});

test("a result of a later call, or of none, names its place", () => {
  const result: Said = { type: "result", callId: "c", output: "x", param: "input[0].call_id" };
  const call: Said = { type: "call", callId: "c", name: "f", arguments: "{}" };
  expect(() => conversation([result, call])).toThrow(HttpError);
  expect(conversation([call, result])).toHaveLength(2);
});

test("parts are joined as they are; images get a line of their own", () => {
  const options = { media: "placeholder", param: "x" } as const;
  const text = (value: string) => ({ type: "input_text", text: value });
  expect(contentText([text("a"), text("b")], options)).toBe("ab");
  expect(contentText([text("a"), { type: "input_image" }, text("b")], options)).toBe(
    "a\n[An image was attached, which cannot be seen here.]\nb",
  );
  expect(contentText([{ type: "refusal", refusal: "no" }], options)).toBe("no");
  expect(contentText(null, options)).toBe("");
  expect(() => contentText([text("a"), { type: "hologram" }], options)).toThrow(
    expect.objectContaining({ status: 400, code: "unsupported_content", param: "x[1]" }),
  );
});

test("tool choices and efforts mean what the agent can do", () => {
  const tools = toolSetOf([{ name: "f" }, { name: "__proto__" }], () => "tools");
  expect(Object.keys(tools)).toEqual(["f", "__proto__"]);
  expect(toolChoiceOf("none", tools)).toBe("none");
  expect(toolChoiceOf("none", {})).toBeUndefined();
  expect(toolChoiceOf("auto", tools)).toBeUndefined();
  expect(toolChoiceOf({ function: "__proto__" }, tools)).toEqual({ function: "__proto__" });
  expect(() => toolChoiceOf({ allowed: ["f", "g"], mode: "auto" }, tools)).toThrow("'g'");
  expect(() => toolChoiceOf({ allowed: [], mode: "required" }, tools)).toThrow("no function");
  expect(effortOf(undefined, { tools })).toBe("medium");
  expect(effortOf("none", { tools: {} })).toBe("none");
  expect(effortOf("none", { tools, toolChoice: "required" })).toBe("none");
  expect(effortOf("none", { tools })).toBe("low");
  expect(effortOf("xhigh", { tools })).toBe("high");
});
