// `gpt-oss generate`: one answer, for people and programs.

import { describe, expect, test } from "vitest";
import { type Greedy, greedy, sum } from "./greedy.ts";
import { file, gptOss, json, output } from "./run.ts";

describe("generate", () => {
  test("continues tokens as the official code does", async () => {
    const ids = file("prompt.json", sum.prompt);
    const args = ["generate", "--tokens", ids, "--temperature", "0", "--max-tokens", "100", "--json"];
    const result = await json([...args, "--model", "models/micro"]);
    expect(result).toMatchObject({ tokens: sum.greedy, text: sum.text, finishReason: "stop" });
    expect(result.messages.at(-1)).toMatchObject({ channel: "final", content: [{ text: "47 + 85 = 132." }] });
  });

  test("stops at --max-tokens and says so", async () => {
    const ids = JSON.stringify(sum.prompt);
    const result = await json(["generate", "--tokens", ids, "--max-tokens", "5", "--json"]);
    expect(result).toMatchObject({ tokens: sum.greedy.slice(0, 5), finishReason: "length" });
  });

  test("without a tokenizer gives ids and no text", async () => {
    const args = ["generate", "--tokens", JSON.stringify(sum.prompt), "--temperature", "0", "--json"];
    const result = await json([...args, "--model", "test/golden/micro-original", "--max-tokens", "5"]);
    expect(result).toMatchObject({ tokens: sum.greedy.slice(0, 5), text: null });
  });

  test("answers a prompt, and only the answer is on stdout", async () => {
    expect(await output(["generate", "What is 47 + 85?"])).toBe("47 + 85 = 132.\n");
    expect(await output(["generate"], { stdin: "What is 47 + 85?" })).toBe("47 + 85 = 132.\n");
  });

  test("holds the answer to a schema, a choice or a pattern", async () => {
    const schema = { type: "object", properties: { sum: { enum: [131, 132] } }, required: ["sum"] };
    const closed = { ...schema, additionalProperties: false };
    const prompt = "What is 47 + 85?";
    const answer = await json(["generate", "--schema", file("sum.schema.json", closed), prompt]);
    expect([131, 132]).toContain(answer.sum);
    expect(await output(["generate", "--choice", "132", "--choice", "133", prompt])).toBe("132\n");
    expect(await output(["generate", "--regex", "= \\d{3}", prompt])).toMatch(/^= \d{3}\n$/);
    const refused = await gptOss([
      "generate",
      "--schema",
      file("not.schema.json", { not: { type: "null" } }),
      prompt,
    ]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("not cannot be enforced");
  });

  test("shows the reasoning only when asked", async () => {
    const text = await output(["generate", "What is 47 + 85?", "--show-reasoning"]);
    expect(text).toBe("Add digit by digit: 7+5+0=12; 4+8+1=13. Result 132.\n\n47 + 85 = 132.\n");
  });

  test("--raw shows everything that is sampled", async () => {
    expect(await output(["generate", "What is 47 + 85?", "--raw"])).toBe(`${sum.text}\n`);
  });

  test("--json gives what programs need", async () => {
    const result = await json(["generate", "What is 47 + 85?", "--json"]);
    expect(result).toMatchObject({
      tokens: sum.greedy,
      text: "47 + 85 = 132.",
      reasoning: expect.stringContaining("132"),
      finishReason: "stop",
      usage: { promptTokens: sum.prompt.length, outputTokens: sum.greedy.length },
      messages: [{ channel: "analysis" }, { channel: "final" }],
    });
  });

  test("continues a conversation with its functions, and gives the call back", async () => {
    const golden = greedy.find(({ question }) => question.includes("weather")) as Greedy;
    const location = { type: "string", description: "The city and state, e.g. San Francisco, CA" };
    const conversation = file("weather.json", {
      messages: [
        {
          role: "system",
          content: [
            { type: "system_content", reasoning_effort: "Medium", conversation_start_date: "2025-06-28" },
          ],
        },
        {
          role: "developer",
          content: [
            {
              type: "developer_content",
              instructions: "Answer briefly.",
              tools: {
                functions: {
                  name: "functions",
                  tools: [
                    {
                      name: "get_weather",
                      description: "Gets the current weather in the provided location.",
                      parameters: { type: "object", properties: { location }, required: ["location"] },
                    },
                  ],
                },
              },
            },
          ],
        },
        { role: "user", content: golden.question },
      ],
    });
    const result = await json(["generate", "--conversation", conversation, "--json"]);
    expect(result).toMatchObject({
      tokens: golden.greedy,
      finishReason: "tool-calls",
      toolCalls: [{ name: "get_weather", arguments: '{"location":"Paris"}' }],
    });
  });

  test("the same seed gives the same answer", async () => {
    const args = ["generate", "hello", "--temperature", "2", "--seed", "7", "--max-tokens", "30", "--json"];
    const { tokens } = await json(args);
    expect((await json(args)).tokens).toEqual(tokens);
    expect((await json([...args, "--seed", "8"])).tokens).not.toEqual(tokens);
  });

  test("Ctrl-C ends it with exit code 130", async () => {
    const endless = ["generate", "What is 47 + 85?", "--effort", "high"];
    expect(await gptOss(endless, { signal: "SIGINT" })).toMatchObject({ code: 130 });
  });
});
