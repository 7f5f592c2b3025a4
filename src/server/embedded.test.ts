// The embedded model behind the server: what it was trained to do really happens over HTTP, not only in scripts.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type LoadedGptOss, load } from "../library/node/index.ts";
import { createMemoryStore, createServer, type Server } from "./index.ts";
import { framesOf, get, post } from "./testing/scripted-server.ts";

let model: LoadedGptOss;
let server: Server;

beforeAll(async () => {
  model = await load({ thread: "same" });
  const { engine, tokenizer, info } = model;
  server = createServer({
    models: [
      {
        id: "embedded",
        created: 0,
        engine,
        tokenizer,
        stopTokens: info.config.stopTokens,
        defaults: { temperature: 0, currentDate: "2025-06-28" },
      },
    ],
    store: createMemoryStore(),
  });
});

afterAll(async () => {
  await server.close();
  await model.close();
});

const getWeather = {
  name: "get_weather",
  description: "Gets the current weather in the provided location.",
  parameters: {
    type: "object",
    properties: {
      location: { type: "string", description: "The city and state, e.g. San Francisco, CA" },
      format: { type: "string", enum: ["celsius", "fahrenheit"], default: "celsius" },
    },
    required: ["location"],
  },
};
const weather = { role: "user", content: "What is the weather in Paris?" };

interface Message {
  readonly content: string | null;
  readonly reasoning?: string;
  readonly tool_calls?: readonly {
    readonly id: string;
    readonly function: { name: string; arguments: string };
  }[];
}

async function chat(body: object): Promise<{ message: Message; finish_reason: string; usage: object }> {
  const response = await server.fetch(post("/v1/chat/completions", { model: "embedded", ...body }));
  const json = (await response.json()) as {
    choices: [{ message: Message; finish_reason: string }];
    usage: object;
  };
  expect(response.status, JSON.stringify(json)).toBe(200);
  return { ...json.choices[0], usage: json.usage };
}

describe("the embedded model", () => {
  test("adds, and shows how it thought", async () => {
    const { message, finish_reason } = await chat({
      messages: [{ role: "user", content: "What is 47 + 85?" }],
    });
    expect(message.content).toContain("132");
    expect(message.reasoning).toContain("7+5");
    expect(finish_reason).toBe("stop");
  });

  test("calls get_weather, streaming too, and answers from its result, for a client that drops thoughts", async () => {
    const tools = [{ type: "function", function: getWeather }];
    const asked = { messages: [weather], tools };
    const first = await chat(asked);
    expect(first.finish_reason).toBe("tool_calls");
    const [call] = first.message.tool_calls!;
    expect(call.function.name).toBe("get_weather");
    expect(JSON.parse(call.function.arguments)).toMatchObject({ location: expect.stringContaining("Paris") });

    const body = { model: "embedded", stream: true, ...asked };
    const frames = await framesOf(await server.fetch(post("/v1/chat/completions", body)));
    const streamed = JSON.stringify(frames);
    expect(streamed).toContain('"name":"get_weather"');
    expect(streamed).toContain('"finish_reason":"tool_calls"');

    const { message, finish_reason, usage } = await chat({
      tools,
      messages: [
        weather,
        { role: "assistant", content: null, tool_calls: first.message.tool_calls },
        { role: "tool", tool_call_id: call.id, content: '{"temperature":20,"sky":"sunny"}' },
      ],
    });
    expect(finish_reason).toBe("stop");
    expect(message.content).toMatch(/sunny|20/);
    // The call is written as it was sampled, thoughts before it included: all but the result was cached.
    const { prompt_tokens_details } = usage as { prompt_tokens_details: { cached_tokens: number } };
    expect(prompt_tokens_details.cached_tokens).toBeGreaterThan(0);
  });

  test("gives the same tokens for the same seed, and log-probabilities that are probabilities", async () => {
    const body = {
      messages: [{ role: "user", content: "What is the capital of France?" }],
      temperature: 1.5,
      seed: 11,
      logprobs: true,
      top_logprobs: 3,
    };
    const ask = async () =>
      (await (await server.fetch(post("/v1/chat/completions", { model: "embedded", ...body }))).json()) as {
        choices: [{ message: object; logprobs: { content: { logprob: number; top_logprobs: unknown[] }[] } }];
      };
    const [first, second] = [await ask(), await ask()];
    expect(first.choices[0].message).toEqual(second.choices[0].message);
    for (const { logprob, top_logprobs } of first.choices[0].logprobs.content) {
      expect(logprob).toBeLessThanOrEqual(0);
      expect(top_logprobs).toHaveLength(3);
    }
  });

  test("answers in the shape that was asked for, and must call what it is told to call", async () => {
    const schema = {
      type: "object",
      properties: { sum: { type: "integer" } },
      required: ["sum"],
      additionalProperties: false,
    };
    const { message } = await chat({
      messages: [{ role: "user", content: "What is 47 + 85?" }],
      response_format: { type: "json_schema", json_schema: { name: "sum", schema, strict: true } },
    });
    expect(JSON.parse(message.content!)).toEqual({ sum: expect.any(Number) });
    const forced = await chat({
      messages: [{ role: "user", content: "What is 47 + 85?" }],
      tools: [{ type: "function", function: getWeather }],
      tool_choice: { type: "function", function: { name: "get_weather" } },
      max_tokens: 300,
    });
    expect(forced.message.tool_calls?.[0].function.name ?? forced.finish_reason).toBe("get_weather");
  });

  test("refuses a schema that cannot be kept to, before anything is sampled", async () => {
    const json_schema = { name: "bad", schema: { type: "string", pattern: "(" } };
    const response = await server.fetch(
      post("/v1/chat/completions", {
        model: "embedded",
        stream: true,
        messages: [weather],
        response_format: { type: "json_schema", json_schema },
      }),
    );
    expect(response.status).toBe(400);
  });

  test("several at once do not disturb each other", async () => {
    const sums = [
      [12, 30],
      [47, 85],
      [9, 9],
      [50, 21],
    ];
    const answers = await Promise.all(
      sums.map(([a, b]) => chat({ messages: [{ role: "user", content: `What is ${a} + ${b}?` }] })),
    );
    expect(answers.map(({ message }) => message.content)).toEqual(
      sums.map(([a, b]) => expect.stringContaining(String(a + b))),
    );
    const metrics = await (await server.fetch(get("/metrics"))).text();
    expect(metrics).toContain('gpt_oss_engine_running{model="embedded"} 0');
  });
});
