// The embedded model through the Responses API: what a script cannot show, because here a model really calls, thinks,
// is constrained, and finds its own words in the cache.

import { afterAll, beforeAll, expect, test } from "vitest";
import { type LoadedGptOss, load } from "../../library/node/index.ts";
import { createMemoryStore, createServer, type Server } from "../index.ts";
import { post } from "../testing/scripted-server.ts";
import { readStrictly } from "./testing/strict-client.ts";
import { eventsOf, path } from "./testing/talk.ts";
import type { ResponseObject } from "./wire.ts";

let model: LoadedGptOss;
let server: Server;

beforeAll(async () => {
  model = await load();
  const { engine, tokenizer, info } = model;
  server = createServer({
    models: [
      {
        id: "micro",
        created: 0,
        engine,
        tokenizer,
        stopTokens: info.config.stopTokens,
        defaults: { temperature: 0, currentDate: "2025-06-28" },
      },
    ],
    store: createMemoryStore(),
  });
}, 60_000);

afterAll(async () => {
  await server.close({ graceMs: 1000 });
  await model.close();
});

async function ask(body: object): Promise<ResponseObject> {
  const response = await server.fetch(post(path, { model: "micro", stream: true, ...body }));
  return readStrictly(await eventsOf(response));
}

const textOf = ({ output }: ResponseObject): string =>
  output.flatMap((item) => (item.type === "message" ? item.content.map(({ text }) => text) : [])).join("");

const weather = {
  type: "function",
  name: "get_weather",
  description: "Gets the current weather in the provided location.",
  parameters: {
    type: "object",
    properties: { location: { type: "string", description: "The city and state, e.g. San Francisco, CA" } },
    required: ["location"],
    additionalProperties: false,
  },
} as const;

const weatherRequest = {
  instructions: "Answer briefly.",
  input: "What is the weather in Paris?",
  tools: [weather],
} as const;

test("it calls the function, reads the result, and computes only what is new", async () => {
  const called = await ask(weatherRequest);
  const call = called.output.find((item) => item.type === "function_call")!;
  expect(call).toMatchObject({ name: "get_weather", status: "completed" });
  expect(JSON.parse(call.arguments)).toEqual({ location: expect.stringContaining("Paris") });
  const answered = await ask({
    ...weatherRequest,
    previous_response_id: called.id,
    input: [
      { type: "function_call_output", call_id: call.call_id, output: '{"sky":"sunny","temperature":21}' },
    ],
  });
  expect(textOf(answered)).toBe("It is sunny in Paris with 21 degrees.");
  const { input_tokens_details, input_tokens } = answered.usage!;
  expect(input_tokens_details.cached_tokens).toBeGreaterThan(called.usage!.input_tokens - 16);
  expect(input_tokens_details.cached_tokens).toBeLessThan(input_tokens);
});

test("it thinks before it answers, and the tokens of its thoughts are counted", async () => {
  const response = await ask({ input: "What is 47 + 85?", reasoning: { effort: "high" } });
  expect(response.output.map(({ type }) => type)).toEqual(["reasoning", "message"]);
  expect(textOf(response)).toContain("132");
  const { output_tokens, output_tokens_details } = response.usage!;
  expect(output_tokens_details.reasoning_tokens).toBeGreaterThan(5);
  expect(output_tokens_details.reasoning_tokens).toBeLessThan(output_tokens);
});

test("a schema holds whatever it would rather say", async () => {
  const schema = {
    type: "object",
    properties: { sum: { type: "integer" }, certain: { enum: ["yes", "no"] } },
    required: ["sum", "certain"],
    additionalProperties: false,
  };
  const format = { type: "json_schema", name: "sum", schema, strict: true };
  const response = await ask({ input: "What is 2 + 3?", text: { format }, max_output_tokens: 400 });
  expect(response.status).toBe("completed");
  expect(JSON.parse(textOf(response))).toEqual({
    sum: expect.any(Number),
    certain: expect.stringMatching(/^(yes|no)$/),
  });
});

test("a schema that cannot be enforced is refused, never ignored", async () => {
  const format = { type: "json_schema", name: "x", schema: { $ref: "#/nowhere" } };
  const response = await server.fetch(post(path, { model: "micro", input: "Hi", text: { format } }));
  expect(response.status).toBe(400);
});

test("tool_choice decides whether it calls", async () => {
  const none = await ask({ ...weatherRequest, tool_choice: "none", max_output_tokens: 200 });
  expect(none.output.some(({ type }) => type === "function_call")).toBe(false);
  const other = { ...weather, name: "get_time", description: "Gets the time." };
  const required = await ask({
    input: "What is 2 + 3?",
    tools: [weather, other],
    tool_choice: { type: "function", name: "get_time" },
    max_output_tokens: 200,
  });
  expect(required.output.find(({ type }) => type === "function_call")).toMatchObject({ name: "get_time" });
});

test("log-probabilities add up to the text, token by token", async () => {
  const response = await ask({
    input: "What is the capital of France?",
    top_logprobs: 3,
    include: ["message.output_text.logprobs"],
  });
  const part = response.output.flatMap((item) => (item.type === "message" ? item.content : []))[0];
  expect(part.logprobs!.map(({ token }) => token).join("")).toBe(part.text);
  for (const { logprob, top_logprobs } of part.logprobs!) {
    expect(logprob).toBeLessThanOrEqual(0);
    expect(top_logprobs).toHaveLength(3);
    expect(top_logprobs[0].logprob).toBeGreaterThanOrEqual(logprob);
  }
});
