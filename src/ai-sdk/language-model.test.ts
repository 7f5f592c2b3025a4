// Odd cases, with a model that samples what the test says.

import type {
  LanguageModelV3CallOptions,
  LanguageModelV3Prompt,
  LanguageModelV3StreamPart,
} from "@ai-sdk/provider";
import { generateText, streamText, tool } from "ai";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { type ScriptedModel, scriptedModel } from "../agent/testing/scripted-model.ts";
import { GptOssError } from "../base/index.ts";
import { scriptedEngine } from "../engine/testing/scripted-engine.ts";
import { createGptOss } from "../library/index.ts";
import { type GptOssModel, gptOss } from "./index.ts";

const thinking = "<|channel|>analysis<|message|>Need weather.<|end|><|start|>assistant";
const preamble = "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant";
const call =
  '<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"location":"Paris"}<|call|>';
const answer = "<|channel|>final<|message|>It is sunny.<|return|>";

const get_weather = tool({
  inputSchema: z.object({ location: z.string() }),
  execute: ({ location }) => ({ sky: "sunny", location }),
});

const modelOf = (scripted: ScriptedModel): GptOssModel => createGptOss(scripted);

const question: LanguageModelV3Prompt = [{ role: "user", content: [{ type: "text", text: "Weather?" }] }];
const functions: NonNullable<LanguageModelV3CallOptions["tools"]> = [
  { type: "function", name: "get_weather", inputSchema: { type: "object", properties: {} } },
];

async function partsOf(
  model: GptOssModel,
  options: Partial<LanguageModelV3CallOptions> = {},
): Promise<LanguageModelV3StreamPart[]> {
  const { stream } = await gptOss(model).doStream({ prompt: question, tools: functions, ...options });
  const parts: LanguageModelV3StreamPart[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

const types = (parts: readonly { readonly type: string }[]): string[] =>
  parts.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1]);

describe("the stream", () => {
  test("has each block between its start and its end, under one id", async () => {
    const parts = await partsOf(modelOf(scriptedModel(thinking + preamble + call)));
    expect(types(parts)).toEqual([
      "stream-start",
      "response-metadata",
      "reasoning-start",
      "reasoning-delta",
      "reasoning-end",
      "text-start",
      "text-delta",
      "text-end",
      "tool-input-start",
      "tool-input-delta",
      "tool-input-end",
      "tool-call",
      "finish",
    ]);
    const open = new Set<string>();
    const seen = new Set<string>();
    for (const part of parts) {
      const [, , kind] = /^(text|reasoning|tool-input)-(start|delta|end)$/.exec(part.type) ?? [];
      if (kind === undefined || !("id" in part)) continue;
      const id = part.id ?? "";
      if (kind === "start") {
        expect(seen.has(id)).toBe(false);
        open.add(id);
        seen.add(id);
      }
      expect(open.has(id)).toBe(true);
      if (kind === "end") open.delete(id);
    }
    expect(open.size).toBe(0);
    expect(parts.at(-1)).toMatchObject({ finishReason: { unified: "tool-calls", raw: "tool-calls" } });
    expect(parts.at(-2)).toMatchObject({ toolName: "get_weather", input: '{"location":"Paris"}' });
  });

  test("says the same as the answer without streaming", async () => {
    const turn = thinking + preamble + call;
    const parts = await partsOf(modelOf(scriptedModel(turn)));
    const whole = await gptOss(modelOf(scriptedModel(turn))).doGenerate({
      prompt: question,
      tools: functions,
    });
    const deltas = (type: string): string =>
      parts.map((part) => (part.type === type && "delta" in part ? part.delta : "")).join("");
    expect(whole.content).toMatchObject([
      { type: "reasoning", text: deltas("reasoning-delta") },
      { type: "text", text: deltas("text-delta") },
      { type: "tool-call", toolName: "get_weather", input: deltas("tool-input-delta") },
    ]);
    const finish = parts.at(-1);
    expect(finish?.type === "finish" && finish.usage).toEqual(whole.usage);
  });

  test("a call that was cut off is no call", async () => {
    const parts = await partsOf(modelOf(scriptedModel(thinking + call)), { maxOutputTokens: 21 });
    expect(types(parts)).toContain("tool-input-end");
    expect(types(parts)).not.toContain("tool-call");
    expect(parts.at(-1)).toMatchObject({
      finishReason: { unified: "length" },
      usage: { outputTokens: { total: 21 } },
    });
  });

  test("a call of something that does not exist is settled with the model, not with the application", async () => {
    const scripted = scriptedModel(call.replace("get_weather", "get_time"), answer);
    const parts = await partsOf(modelOf(scripted));
    expect(types(parts)).not.toContain("tool-call");
    expect(types(parts)).toContain("text-delta");
    expect(scripted.prompts[1]).toContain('unknown tool "get_time"');
  });

  test("a call without arguments has an empty object as its input", async () => {
    const parts = await partsOf(modelOf(scriptedModel(call.replace('{"location":"Paris"}', ""))));
    expect(parts.find(({ type }) => type === "tool-call")).toMatchObject({ input: "{}" });
  });

  test("gives the agent's own events when asked for", async () => {
    const parts = await partsOf(modelOf(scriptedModel(answer)), { includeRawChunks: true });
    const raw = parts.flatMap((part) => (part.type === "raw" ? [part.rawValue as { type: string }] : []));
    expect(raw.map(({ type }) => type)).toContain("turn-end");
  });

  test("an error of the engine arrives as it is, with its code, and ends the stream", async () => {
    const fails = (): never => {
      throw new GptOssError("engine/overloaded", { message: "too many wait", hint: "later" });
    };
    const broken = createGptOss({ ...scriptedModel(), engine: scriptedEngine([fails, fails]) });
    const parts = await partsOf(broken);
    expect(types(parts).slice(-2)).toEqual(["error", "finish"]);
    expect(parts.at(-2)).toMatchObject({ error: { code: "engine/overloaded" } });
    await expect(generateText({ model: gptOss(broken), prompt: "?", maxRetries: 0 })).rejects.toMatchObject({
      code: "engine/overloaded",
    });
  });

  test("leaving the stream stops the model", async () => {
    const scripted = scriptedModel();
    async function* endless(): AsyncGenerator<number> {
      const { channel, message } = scripted.tokenizer.special;
      yield* [channel, ...scripted.tokenizer.encode("final"), message];
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield 1;
      }
    }
    const engine = scriptedEngine([endless]);
    const model = createGptOss({ ...scripted, engine });
    const { stream } = await gptOss(model).doStream({ prompt: question });
    for await (const part of stream) if (part.type === "text-delta") break;
    expect(engine.running).toBe(0);
  });
});

describe("the chain of thought", () => {
  const ask = async (scripted: ScriptedModel) => {
    const model = gptOss(modelOf(scripted));
    return generateText({
      model,
      prompt: "Weather?",
      tools: { get_weather },
      stopWhen: ({ steps }) => steps.length > 1,
    });
  };

  test("stands before the call in the next prompt, in the very tokens that were sampled", async () => {
    // Two ways to write "weather": what was sampled has to come back, not what a tokenizer would choose.
    const scripted = scriptedModel();
    const { special, encode } = scripted.tokenizer;
    const sampled = [
      special.channel,
      ...encode("analysis"),
      special.message,
      ..."weather".split("").flatMap((letter) => encode(letter)),
      special.end,
      special.start,
      ...encode("assistant"),
    ];
    const rest = [
      special.channel,
      ...encode("commentary to=functions.get_weather "),
      special.constrain,
      ...encode("json"),
    ];
    const body = [special.message, ...encode('{ "location":  "Paris" }'), special.call];
    const spaced = scriptedModel([...sampled, ...rest, ...body], answer);
    const result = await ask(spaced);
    expect(result.text).toBe("It is sunny.");
    const [first, second] = spaced.requests;
    expect(second.tokens.slice(first.tokens.length, first.tokens.length + sampled.length)).toEqual(sampled);
    expect(spaced.prompts[1]).toContain('{ "location":  "Paris" }');
  });

  test("is found by the call when the application dropped it", async () => {
    const scripted = scriptedModel(thinking + call, answer);
    const model = gptOss(modelOf(scripted));
    const { content } = await model.doGenerate({ prompt: question, tools: functions });
    const made = content.find((part) => part.type === "tool-call")!;
    const { toolCallId, toolName } = made;
    await model.doGenerate({
      prompt: [
        ...question,
        {
          role: "assistant",
          content: [{ type: "tool-call", toolCallId, toolName, input: { location: "Paris" } }],
        },
        {
          role: "tool",
          content: [{ type: "tool-result", toolCallId, toolName, output: { type: "text", value: "rain" } }],
        },
      ],
      tools: functions,
    });
    expect(scripted.prompts[1]).toContain("Need weather.");
    expect(scripted.prompts[1].indexOf("Need weather.")).toBeLessThan(
      scripted.prompts[1].indexOf('{"location"'),
    );
  });

  test("is gone from the prompt once there was an answer", async () => {
    const scripted = scriptedModel(thinking + call, answer, answer);
    const result = await ask(scripted);
    const model = gptOss(modelOf(scripted));
    const messages = [...result.response.messages, { role: "user" as const, content: "And now?" }];
    await generateText({ model, messages: [{ role: "user", content: "Weather?" }, ...messages] });
    expect(scripted.prompts[1]).toContain("Need weather.");
    expect(scripted.prompts[2]).not.toContain("Need weather.");
    expect(scripted.prompts[2]).toContain("It is sunny.");
  });

  test("what an application changed is taken as it now is", async () => {
    const scripted = scriptedModel(answer, answer);
    const model = gptOss(modelOf(scripted));
    const first = await generateText({ model, prompt: "Weather?" });
    const edited = structuredClone(first.response.messages).map((message) => ({
      ...message,
      content: JSON.parse(JSON.stringify(message.content).replace("sunny", "snowing")),
    }));
    await generateText({
      model,
      messages: [{ role: "user", content: "Weather?" }, ...edited, { role: "user", content: "?" }],
    });
    expect(scripted.prompts[1]).toContain("It is snowing.");
  });
});

describe("what is asked", () => {
  const promptFor = async (options: Partial<LanguageModelV3CallOptions>): Promise<string> => {
    const scripted = scriptedModel(answer);
    await gptOss(modelOf(scripted)).doGenerate({ prompt: question, ...options });
    return scripted.prompts[0];
  };

  test("system messages are the developer's, and a preamble stays one", async () => {
    const prompt = await promptFor({
      tools: functions,
      prompt: [
        { role: "system", content: "Be brief." },
        { role: "system", content: "Be kind." },
        ...question,
        {
          role: "assistant",
          content: [
            { type: "text", text: "I will look." },
            { type: "tool-call", toolCallId: "1", toolName: "get_weather", input: { location: "Paris" } },
          ],
        },
        {
          role: "tool",
          content: [
            {
              type: "tool-result",
              toolCallId: "1",
              toolName: "get_weather",
              output: { type: "error-text", value: "no" },
            },
          ],
        },
      ],
    });
    expect(prompt).toContain("<|start|>developer<|message|># Instructions\n\nBe brief.\n\nBe kind.");
    expect(prompt).toContain("<|channel|>commentary<|message|>I will look.<|end|>");
    expect(prompt).toContain(
      '<|start|>assistant to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{"location":"Paris"}<|call|>',
    );
    expect(prompt).toContain(
      "functions.get_weather to=assistant<|channel|>commentary<|message|>Error: no<|end|>",
    );
  });

  test("text files are read, other files are refused with a code", async () => {
    const file = (mediaType: string): LanguageModelV3Prompt => [
      { role: "user", content: [{ type: "file", mediaType, filename: "a.md", data: btoa("# Plan") }] },
    ];
    expect(await promptFor({ prompt: file("text/markdown") })).toContain("a.md:\n# Plan");
    await expect(promptFor({ prompt: file("image/png") })).rejects.toMatchObject({
      code: "ai-sdk/unsupported",
    });
  });

  test("effort and date", async () => {
    const prompt = await promptFor({
      providerOptions: { gptOss: { reasoningEffort: "high", currentDate: "2025-01-02" } },
    });
    expect(prompt).toContain("Reasoning: high");
    expect(prompt).toContain("Current date: 2025-01-02");
    await expect(
      promptFor({ providerOptions: { gptOss: { reasoningEffort: "extreme" } } }),
    ).rejects.toMatchObject({
      code: "library/bad-option",
    });
  });

  test("sampling settings reach the engine", async () => {
    const scripted = scriptedModel(answer);
    const sampling = {
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      seed: 7,
    };
    await gptOss(modelOf(scripted)).doGenerate({ prompt: question, ...sampling, maxOutputTokens: 99 });
    expect(scripted.requests[0]).toMatchObject({ sampling, maxTokens: 99 });
  });

  test("stop sequences end the text", async () => {
    const scripted = scriptedModel("<|channel|>final<|message|>one, two, three<|return|>");
    const result = await generateText({
      model: gptOss(modelOf(scripted)),
      prompt: "Count",
      stopSequences: [", three"],
    });
    expect(result.text).toBe("one, two");
    expect(result.finishReason).toBe("stop");
  });

  test("what has no effect is said", async () => {
    const { warnings } = await gptOss(modelOf(scriptedModel(answer))).doGenerate({
      prompt: question,
      tools: [{ type: "provider", id: "openai.web_search", name: "web_search", args: {} }],
    });
    expect(warnings).toEqual([{ type: "unsupported", feature: "provider-defined tool openai.web_search" }]);
  });

  test("a preamble does not get into JSON", async () => {
    const scripted = scriptedModel(preamble + '<|channel|>final<|message|>{"a":1}<|return|>');
    const result = streamText({ model: gptOss(modelOf(scripted)), prompt: "?" });
    expect(await result.text).toBe('I will look.{"a":1}');
    const model = gptOss(modelOf(scriptedModel(preamble + '<|channel|>final<|message|>{"a":1}<|return|>')));
    const { content } = await model.doGenerate({ prompt: question, responseFormat: { type: "json" } });
    expect(content).toMatchObject([
      { type: "reasoning", text: "I will look.", providerMetadata: { gptOss: { phase: "commentary" } } },
      { type: "text", text: '{"a":1}' },
    ]);
  });
});
