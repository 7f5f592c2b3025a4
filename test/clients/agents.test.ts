// OpenAI's Agents SDK over both APIs, streaming and not: its own loop, its own tools, the embedded model.

import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import * as z from "zod";
import { modelId as model, useServer } from "./server.ts";
import {
  instructions,
  weatherAnswer,
  weatherDescription,
  weatherName,
  weatherQuestion,
  weatherSchema,
  weatherStation,
} from "./weather.ts";

// The SDK takes the global one, which Node has from version 22 on.
globalThis.WebSocket ??= WebSocket as unknown as typeof globalThis.WebSocket;

// Traces would be sent to OpenAI.
setTracingDisabled(true);

const server = useServer();

function weather() {
  const { asked, read } = weatherStation();
  const get_weather = tool({
    name: weatherName,
    description: weatherDescription,
    parameters: weatherSchema,
    execute: async (args) => read(args),
  });
  return { asked, get_weather };
}

const ways = [
  { name: "Responses", options: { useResponses: true } },
  { name: "Responses over WebSocket", options: { useResponses: true, useResponsesWebSocket: true } },
  { name: "Chat Completions", options: { useResponses: false } },
] as const;

describe.each(ways)("$name", ({ options }) => {
  let provider: OpenAIProvider;
  let runner: Runner;
  beforeAll(() => {
    provider = new OpenAIProvider({ baseURL: server.baseURL, apiKey: "none", ...options });
    runner = new Runner({ modelProvider: provider, tracingDisabled: true });
  });
  afterAll(() => provider.close());

  test("answers", async () => {
    const agent = new Agent({ name: "Assistant", model, instructions });
    const result = await runner.run(agent, "What is 47 + 85?");
    expect(result.finalOutput).toBe("47 + 85 = 132.");
  });

  test("calls a function, runs it, answers from its result", async () => {
    const { asked, get_weather } = weather();
    const agent = new Agent({ name: "Assistant", model, instructions, tools: [get_weather] });
    const result = await runner.run(agent, weatherQuestion);
    expect(asked).toEqual(["Paris"]);
    expect(result.finalOutput).toBe(weatherAnswer);
    expect(result.rawResponses.length).toBe(2);
  });

  test("the same, streaming", async () => {
    const { asked, get_weather } = weather();
    const agent = new Agent({ name: "Assistant", model, instructions, tools: [get_weather] });
    const stream = await runner.run(agent, weatherQuestion, {
      stream: true,
    });
    let text = "";
    const items: string[] = [];
    for await (const event of stream) {
      if (event.type === "raw_model_stream_event" && event.data.type === "output_text_delta")
        text += event.data.delta;
      if (event.type === "run_item_stream_event") items.push(event.name);
    }
    await stream.completed;
    expect(asked).toEqual(["Paris"]);
    expect(text).toBe(weatherAnswer);
    expect(items).toContain("tool_called");
    expect(items).toContain("tool_output");
    expect(stream.finalOutput).toBe(weatherAnswer);
  });

  test("gives an output of the type that was asked for", async () => {
    const City = z.object({ city: z.enum(["Paris", "London"]), isCapital: z.boolean() });
    const agent = new Agent({ name: "Assistant", model, outputType: City });
    const { finalOutput } = await runner.run(agent, "What is the capital of France?");
    expect(City.parse(finalOutput)).toEqual(finalOutput);
  });

  test("a conversation goes on with the history of a run", async () => {
    const agent = new Agent({ name: "Assistant", model });
    const first = await runner.run(agent, "What is 3 + 4?");
    const second = await runner.run(agent, [...first.history, { role: "user", content: "Who are you?" }]);
    expect(second.finalOutput).toContain("ChatGPT");
  });
});
