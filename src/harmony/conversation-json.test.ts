import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GptOssError } from "../base/index.ts";
import { o200kHarmony } from "../tokenizer/index.ts";
import { browserNamespace, conversationFromJson, conversationToJson, renderMessage } from "./index.ts";

function errorOf(json: unknown): GptOssError {
  try {
    conversationFromJson(json);
  } catch (error) {
    if (GptOssError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("accepted");
}

const message = (fields: object) => ({ messages: [{ role: "user", content: "Hi", ...fields }] });

describe("what the official library accepts", () => {
  test("content as a plain string or as parts, absent and null fields", () => {
    const expected = [{ role: "user", content: "Hi" }];
    expect(conversationFromJson(message({}))).toEqual(expected);
    expect(conversationFromJson(message({ content: [{ type: "text", text: "Hi" }] }))).toEqual(expected);
    expect(conversationFromJson(message({ name: null, channel: null, recipient: null }))).toEqual(expected);
    expect(conversationFromJson(message({ unheard_of: 1 }))).toEqual(expected);
    expect(conversationFromJson(JSON.stringify(message({}).messages))).toEqual(expected);
  });

  test("every header field", () => {
    const fields = {
      role: "assistant",
      name: "n",
      channel: "final",
      recipient: "r",
      content_type: "<|constrain|>json",
    };
    const { content_type: contentType, ...rest } = fields;
    expect(conversationFromJson(message(fields))).toEqual([{ ...rest, contentType, content: "Hi" }]);
  });

  test("absent system fields take OpenAI's defaults, null leaves a line out", () => {
    const tokenizer = o200kHarmony();
    const system = (content: object) => ({
      messages: [{ role: "system", content: [{ type: "system_content", ...content }] }],
    });
    const rendered = (content: object) =>
      tokenizer.decode(renderMessage(conversationFromJson(system(content))[0], tokenizer));
    expect(rendered({})).toBe(
      "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\nKnowledge cutoff: 2024-06\n\nReasoning: medium\n\n# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>",
    );
    const nothing = {
      model_identity: null,
      knowledge_cutoff: null,
      reasoning_effort: null,
      channel_config: null,
    };
    expect(rendered(nothing)).toBe("<|start|>system<|message|><|end|>");
    expect(rendered({ ...nothing, reasoning_effort: "high" })).toContain("Reasoning: high");
  });

  test("browser tools whose parameters a JavaScript Map has lost are whole again", () => {
    const { tools } = browserNamespace();
    const lossy = { name: "browser", tools: tools.map((tool) => ({ ...tool, parameters: {} })) };
    const content = [{ type: "system_content", tools: { browser: lossy } }];
    expect(conversationFromJson({ messages: [{ role: "system", content }] })[0].content).toMatchObject({
      tools: { browser: { tools } },
    });
  });

  test("a namespace named __proto__ is a namespace", () => {
    const json =
      '{"messages":[{"role":"developer","content":[{"type":"developer_content","tools":{"__proto__":{"tools":[]}}}]}]}';
    const [{ content }] = conversationFromJson(json);
    expect(Object.keys((content as { tools: object }).tools)).toEqual(["__proto__"]);
  });
});

test("what is written is read back the same, defaults spelled out", () => {
  const json = conversationToJson([
    { role: "system", content: { reasoningEffort: "low" } },
    {
      role: "developer",
      content: {
        instructions: "Be brief.",
        tools: { functions: { tools: [{ name: "f" }] } },
        responseFormats: [{ name: "r", schema: true }],
      },
    },
    { role: "user", content: ["a", "b"] },
  ]);
  expect(json.messages[0].content[0]).toEqual({
    type: "system_content",
    model_identity: "You are ChatGPT, a large language model trained by OpenAI.",
    reasoning_effort: "Low",
    tools: null,
    conversation_start_date: null,
    knowledge_cutoff: "2024-06",
    channel_config: { valid_channels: ["analysis", "commentary", "final"], channel_required: true },
  });
  expect(json.messages[1].content[0]).toMatchObject({
    tools: {
      functions: {
        name: "functions",
        description: null,
        tools: [{ name: "f", description: "", parameters: null }],
      },
    },
  });
  expect(conversationToJson(conversationFromJson(JSON.stringify(json)))).toEqual(json);
});

test.each([
  ["not JSON", "{", "conversation"],
  ["no object", 5, "conversation"],
  ["no messages", {}, "messages"],
  ["a message that is none", { messages: [null] }, "messages[0]"],
  ["no role", message({ role: undefined }), "messages[0].role"],
  ["a role that does not exist", message({ role: "robot" }), "messages[0].role"],
  ["no content", message({ content: undefined }), "messages[0].content"],
  ["null content", message({ content: null }), "messages[0].content"],
  ["a part that is text itself", message({ content: ["Hi"] }), "messages[0].content[0]"],
  ["an unknown part", message({ content: [{ type: "image" }] }), "messages[0].content[0].type"],
  ["a number for a channel", message({ channel: 5 }), "messages[0].channel"],
  ["a tool without a name", message({ role: "tool" }), "messages[0].name"],
  [
    "system content from a user",
    message({ content: [{ type: "system_content" }] }),
    "messages[0].content[0]",
  ],
  [
    "an effort that does not exist",
    message({ role: "system", content: [{ type: "system_content", reasoning_effort: "Extreme" }] }),
    "messages[0].content[0].reasoning_effort",
  ],
  [
    "parameters that are no schema",
    message({
      role: "developer",
      content: [{ type: "developer_content", tools: { f: { tools: [{ name: "f", parameters: 5 }] } } }],
    }),
    "messages[0].content[0].tools.f.tools[0].parameters",
  ],
])("bad input says where and what: %s", (_, json, path) => {
  const error = errorOf(json);
  expect(error.code).toBe("harmony/bad-conversation");
  expect(error.message.startsWith(`${path}:`)).toBe(true);
  expect(error.hint).toMatch(/\S/);
  expect(error.hint).not.toContain("\n");
});

test("any JSON at all is a conversation or an error with a code", () => {
  const tokenizer = o200kHarmony();
  const keys = [
    "role",
    "name",
    "content",
    "type",
    "text",
    "channel",
    "tools",
    "parameters",
    "name",
    "instructions",
  ];
  const words = [
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "text",
    "system_content",
    "developer_content",
  ];
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(...words),
      fc.constantFrom(null, true, 0, 1.5, ""),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...keys), tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  const messages = fc.array(
    fc.record({ role: fc.constantFrom(...words), name: fc.constantFrom("f", undefined), content: json }),
    { maxLength: 3 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(fc.oneof(json, fc.record({ messages })), (value) => {
      let conversation: ReturnType<typeof conversationFromJson>;
      try {
        conversation = conversationFromJson(value);
      } catch (error) {
        expect(error).toMatchObject({ code: "harmony/bad-conversation", hint: expect.any(String) as string });
        return;
      }
      accepted++;
      for (const each of conversation) renderMessage(each, tokenizer);
    }),
    { seed: 1, numRuns: 3000 },
  );
  expect(accepted).toBeGreaterThan(300);
});
