// The real `ai` package and the embedded model: what an application sees, end to end.

import {
  generateObject,
  generateText,
  type ModelMessage,
  Output,
  pruneMessages,
  stepCountIs,
  streamText,
  tool,
  wrapLanguageModel,
} from "ai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { type LoadedGptOss, load } from "../library/node/index.ts";
import { gptOss } from "./index.ts";

let model: LoadedGptOss;
beforeAll(async () => {
  model = await load();
});
afterAll(() => model.close());

const system = "Answer briefly.";

/** The tool that the embedded model was trained with; `asked` shows that it really ran. */
function weather() {
  const asked: string[] = [];
  const get_weather = tool({
    description: "Gets the current weather in the provided location.",
    inputSchema: z.object({ location: z.string().describe("The city and state, e.g. San Francisco, CA") }),
    execute: async ({ location }) => {
      asked.push(location);
      return { sky: "sunny", temperature: 21 };
    },
  });
  return { asked, tools: { get_weather } };
}

const weatherQuestion = "What is the weather in Paris?";

describe("generateText", () => {
  test("answers, with reasoning apart from the text, and counts both", async () => {
    const result = await generateText({ model: gptOss(model), prompt: "What is 47 + 85?" });
    expect(result.text).toBe("47 + 85 = 132.");
    expect(result.reasoningText).toContain("digit");
    expect(result.finishReason).toBe("stop");
    expect(result.warnings).toEqual([]);
    const { inputTokens, outputTokens, outputTokenDetails } = result.usage;
    expect(inputTokens).toBeGreaterThan(20);
    expect(outputTokens).toBe(outputTokenDetails.textTokens! + outputTokenDetails.reasoningTokens!);
    expect(outputTokenDetails.reasoningTokens).toBeGreaterThan(0);
  });

  test("a tool is called, and answered, and the chain of thought goes along", async () => {
    const { asked, tools } = weather();
    const prompts: unknown[] = [];
    const seen = wrapLanguageModel({
      model: gptOss(model),
      middleware: {
        specificationVersion: "v3",
        transformParams: async ({ params }) => {
          prompts.push(params.prompt);
          return params;
        },
      },
    });
    const result = await generateText({
      model: seen,
      system,
      prompt: weatherQuestion,
      tools,
      stopWhen: stepCountIs(5),
    });
    expect(asked).toEqual(["Paris"]);
    expect(result.text).toContain("sunny in Paris with 21 degrees");
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(["tool-calls", "stop"]);
    expect(result.steps[0].reasoningText).not.toBe("");
    expect(JSON.stringify(prompts[1])).toContain(JSON.stringify(result.steps[0].reasoningText).slice(1, -1));
    // Everything up to the call was sampled or computed before: only the result is new to the engine.
    const { inputTokenDetails } = result.steps[1].usage;
    expect(inputTokenDetails.noCacheTokens).toBeLessThan(inputTokenDetails.cacheReadTokens!);
  });

  test("a conversation goes on, and cached tokens are counted", async () => {
    const messages: ModelMessage[] = [{ role: "user", content: "What is 3 + 4?" }];
    const first = await generateText({ model: gptOss(model), messages });
    messages.push(...first.response.messages, { role: "user", content: "Who are you?" });
    const second = await generateText({ model: gptOss(model), messages });
    expect(first.text).toContain("7");
    expect(second.text).toContain("ChatGPT");
    expect(second.usage.inputTokenDetails.cacheReadTokens).toBeGreaterThan(20);
  });

  test("a tool that has to be called is called", async () => {
    const { tools } = weather();
    for (const toolChoice of ["required", { type: "tool", toolName: "get_weather" }] as const) {
      const result = await generateText({ model: gptOss(model), prompt: weatherQuestion, tools, toolChoice });
      expect(result.toolCalls.map(({ toolName }) => toolName)).toEqual(["get_weather"]);
    }
  });

  test("a tool that must not be called is not called", async () => {
    const { asked, tools } = weather();
    const prompt = weatherQuestion;
    const result = await generateText({ model: gptOss(model), prompt, tools, toolChoice: "none" });
    expect(result.toolCalls).toEqual([]);
    expect(asked).toEqual([]);
  });

  test("the same seed gives the same answer", async () => {
    const ask = async (seed: number): Promise<string> => {
      const settings = { temperature: 1.5, seed, maxOutputTokens: 30 };
      const { content } = await generateText({ model: gptOss(model), prompt: "Who are you?", ...settings });
      return JSON.stringify(content.map((part) => ("text" in part ? part.text : part.type)));
    };
    expect(await ask(7)).toBe(await ask(7));
    expect(await ask(7)).not.toBe(await ask(8));
  });

  test("a limit ends the answer, and says so", async () => {
    const result = await generateText({
      model: gptOss(model),
      prompt: "What is 47 + 85?",
      maxOutputTokens: 4,
    });
    expect(result.finishReason).toBe("length");
    expect(result.usage.outputTokens).toBe(4);
  });

  test("effort is a setting of the model and an option of a call", async () => {
    const prompt = "What is 47 + 85?";
    const high = await generateText({ model: gptOss(model, { reasoningEffort: "high" }), prompt });
    const none = await generateText({
      model: gptOss(model, { reasoningEffort: "high" }),
      prompt,
      providerOptions: { gptOss: { reasoningEffort: "none" } },
    });
    expect(high.reasoningText).not.toBe(undefined);
    expect(none.reasoningText).toBe(undefined);
  });
});

describe("structured output", () => {
  const schema = z.object({ city: z.enum(["Paris", "London"]), degrees: z.int().min(-50).max(60) });

  test("an object follows its schema", async () => {
    const result = await generateObject({
      model: gptOss(model),
      schema,
      prompt: "What is the capital of France?",
    });
    expect(schema.parse(result.object)).toEqual(result.object);
  });

  test("streamed, the parts grow into the object", async () => {
    const result = streamText({
      model: gptOss(model),
      output: Output.object({ schema }),
      prompt: "What is the capital of France?",
    });
    const partial: unknown[] = [];
    for await (const part of result.partialOutputStream) partial.push(part);
    expect(partial.at(-1)).toEqual(await result.output);
    expect(schema.parse(await result.output)).toEqual(await result.output);
  });

  test("one of several choices", async () => {
    const { output } = await generateText({
      model: gptOss(model),
      output: Output.choice({ options: ["red", "green"] }),
      prompt: "Who are you?",
    });
    expect(["red", "green"]).toContain(output);
  });

  test("JSON of no particular shape", async () => {
    const { output } = await generateText({
      model: gptOss(model),
      output: Output.json(),
      prompt: "What is 3 + 4?",
      maxOutputTokens: 400,
    });
    expect(output).toBeDefined();
  });
});

describe("streamText", () => {
  test("streams reasoning, then text, each between its start and end", async () => {
    const result = streamText({ model: gptOss(model), prompt: "What is the capital of France?" });
    const types: string[] = [];
    for await (const part of result.fullStream) if (part.type !== types.at(-1)) types.push(part.type);
    expect(types).toEqual([
      "start",
      "start-step",
      "reasoning-start",
      "reasoning-delta",
      "reasoning-end",
      "text-start",
      "text-delta",
      "text-end",
      "finish-step",
      "finish",
    ]);
    expect(await result.text).toBe("The capital of France is Paris.");
  });

  test("a tool is called in the middle of the stream", async () => {
    const { asked, tools } = weather();
    const result = streamText({
      model: gptOss(model),
      system,
      prompt: weatherQuestion,
      tools,
      stopWhen: stepCountIs(5),
    });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    expect(asked).toEqual(["Paris"]);
    expect(text).toContain("sunny in Paris");
    expect(await result.totalUsage).toMatchObject({ inputTokens: expect.any(Number) });
  });

  test("an application that keeps no reasoning gets the same answer, from the same prompt", async () => {
    const { tools } = weather();
    const settings = { model: gptOss(model), system, tools };
    const question: ModelMessage = { role: "user", content: weatherQuestion };
    const first = await generateText({ ...settings, messages: [question] });
    const kept = await generateText({ ...settings, messages: [question, ...first.response.messages] });
    const pruned = pruneMessages({
      messages: [question, ...first.response.messages],
      reasoning: "all",
    });
    expect(JSON.stringify(pruned)).not.toContain("reasoning");
    const dropped = await generateText({ ...settings, messages: pruned });
    expect(dropped.text).toBe(kept.text);
    expect(dropped.usage.inputTokens).toBe(kept.usage.inputTokens);
  });

  test("an abort ends the stream at once, and the model's place is free again", async () => {
    const stop = new AbortController();
    let error: unknown;
    const result = streamText({
      model: gptOss(model),
      prompt: "What is 47 + 85?",
      abortSignal: stop.signal,
      onError: (event) => {
        error = event.error;
      },
    });
    const types: string[] = [];
    for await (const part of result.fullStream) {
      types.push(part.type);
      if (part.type === "reasoning-delta") stop.abort();
    }
    expect(types.at(-1)).toBe("abort");
    expect(error).toBe(undefined);
    await expect.poll(() => model.engine.status().running).toBe(0);
  });

  test("an abort rejects generateText with the reason", async () => {
    const stop = new AbortController();
    const asked = generateText({
      model: gptOss(model),
      prompt: "What is 47 + 85?",
      abortSignal: stop.signal,
    });
    setTimeout(() => stop.abort(), 5);
    await expect(asked).rejects.toMatchObject({ name: "AbortError" });
  });
});
