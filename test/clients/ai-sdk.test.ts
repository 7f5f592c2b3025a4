// The AI SDK over HTTP, through each of its providers that speak a dialect of this server.

import { createOpenResponses } from "@ai-sdk/open-responses";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  defaultSettingsMiddleware,
  generateText,
  type LanguageModel,
  type ModelMessage,
  Output,
  stepCountIs,
  streamText,
  tool,
  wrapLanguageModel,
} from "ai";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { modelId, useServer } from "./server.ts";
import {
  instructions,
  weatherAnswer,
  weatherDescription,
  weatherName,
  weatherQuestion,
  weatherSchema,
  weatherStation,
} from "./weather.ts";

const server = useServer();

interface Provider {
  readonly name: string;
  readonly of: (baseURL: string, modelId: string) => LanguageModel;
  /** Whether it shows the chain of thought: OpenAI's own shows summaries only, where they are asked for, or nothing in Chat. */
  readonly showsReasoning: boolean;
}

/** It asks for reasoning where it knows the model's name, or is told. */
const withSummary = defaultSettingsMiddleware({
  settings: { providerOptions: { openai: { forceReasoning: true, reasoningSummary: "auto" } } },
});

const apiKey = "none";
const providers: readonly Provider[] = [
  {
    name: "openai, Responses",
    of: (baseURL, id) => createOpenAI({ baseURL, apiKey }).responses(id),
    showsReasoning: false,
  },
  {
    name: "openai, Responses, with summaries",
    of: (baseURL, id) =>
      wrapLanguageModel({ model: createOpenAI({ baseURL, apiKey }).responses(id), middleware: withSummary }),
    showsReasoning: true,
  },
  {
    name: "openai, Chat",
    of: (baseURL, id) => createOpenAI({ baseURL, apiKey }).chat(id),
    showsReasoning: false,
  },
  {
    name: "openai-compatible",
    of: (baseURL, id) =>
      createOpenAICompatible({ baseURL, apiKey, name: "gpt-oss", supportsStructuredOutputs: true })(id),
    showsReasoning: true,
  },
  {
    name: "open-responses",
    of: (baseURL, id) => createOpenResponses({ url: `${baseURL}/responses`, apiKey, name: "gpt-oss" })(id),
    showsReasoning: true,
  },
];

describe.each(providers)("$name", ({ of, showsReasoning }) => {
  const model = (id = modelId): LanguageModel => of(server.baseURL, id);

  function weather() {
    const { asked, read } = weatherStation();
    const execute = async (args: { location: string }) => read(args);
    const get_weather = tool({ description: weatherDescription, inputSchema: weatherSchema, execute });
    return { asked, tools: { [weatherName]: get_weather } };
  }

  test("answers", async () => {
    const result = await generateText({ model: model(), prompt: "What is 47 + 85?" });
    expect(result.text).toBe("47 + 85 = 132.");
    expect(result.finishReason).toBe("stop");
    expect(result.usage.outputTokens).toBeGreaterThan(10);
    expect(result.usage.outputTokenDetails.reasoningTokens).toBeGreaterThan(0);
    if (showsReasoning) expect(result.reasoningText).toContain("digit");
  });

  test("streams", async () => {
    const result = streamText({ model: model(), prompt: "What is the capital of France?" });
    const types = new Set<string>();
    for await (const part of result.fullStream) types.add(part.type);
    expect(await result.text).toBe("The capital of France is Paris.");
    expect([...types]).toContain("text-delta");
    expect(types.has("error")).toBe(false);
    if (showsReasoning) expect([...types]).toContain("reasoning-delta");
  });

  test("calls a function, runs it, answers from its result", async () => {
    const { asked, tools } = weather();
    const result = await generateText({
      model: model(),
      system: instructions,
      prompt: weatherQuestion,
      tools,
      stopWhen: stepCountIs(5),
    });
    expect(asked).toEqual(["Paris"]);
    expect(result.text).toBe(weatherAnswer);
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(["tool-calls", "stop"]);
  });

  test("the same, streaming", async () => {
    const { asked, tools } = weather();
    const result = streamText({
      model: model(),
      system: instructions,
      prompt: weatherQuestion,
      tools,
      stopWhen: stepCountIs(5),
    });
    let text = "";
    for await (const delta of result.textStream) text += delta;
    expect(asked).toEqual(["Paris"]);
    expect(text).toBe(weatherAnswer);
  });

  test("an object follows its schema", async () => {
    const City = z.object({ city: z.enum(["Paris", "London"]), isCapital: z.boolean() });
    const { output } = await generateText({
      model: model(),
      output: Output.object({ schema: City }),
      prompt: "What is the capital of France?",
    });
    expect(City.parse(output)).toEqual(output);
  });

  test("a conversation goes on with what was answered", async () => {
    const messages: ModelMessage[] = [{ role: "user", content: "What is 3 + 4?" }];
    const first = await generateText({ model: model(), messages });
    messages.push(...first.response.messages, { role: "user", content: "Who are you?" });
    const second = await generateText({ model: model(), messages });
    expect(second.text).toContain("ChatGPT");
  });

  test("a limit and an error say what they are", async () => {
    const short = await generateText({ model: model(), prompt: "What is 47 + 85?", maxOutputTokens: 16 });
    expect(short.finishReason).toBe("length");
    const wrong = generateText({ model: model("gpt-17"), prompt: "?", maxRetries: 0 });
    await expect(wrong).rejects.toSatisfy(
      (error) => APICallError.isInstance(error) && error.statusCode === 404,
    );
    await expect(wrong).rejects.toThrow(/gpt-17/);
  });
});
