// OpenAI's own client, the Responses API: create, stream, store, background, compaction, WebSocket, against the
// embedded model.

import OpenAI, { BadRequestError, NotFoundError } from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { ResponsesWS } from "openai/resources/responses/ws";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { modelId as model, useServer } from "./server.ts";
import {
  instructions,
  weatherAnswer,
  weatherDescription,
  weatherName,
  weatherParameters,
  weatherQuestion,
  weatherSchema,
  weatherStation,
} from "./weather.ts";

const server = useServer();
const client = () => new OpenAI({ baseURL: server.baseURL, apiKey: "none", timeout: 20_000, maxRetries: 0 });

type ResponseEvent = OpenAI.Responses.ResponseStreamEvent;
type Input = OpenAI.Responses.ResponseInput;

const sum = "What is 47 + 85?";
const sumAnswer = "47 + 85 = 132.";
const tools: OpenAI.Responses.Tool[] = [
  {
    type: "function",
    name: weatherName,
    description: weatherDescription,
    parameters: weatherParameters,
    strict: true,
  },
];

function reasoningOf(response: OpenAI.Responses.Response): string {
  return response.output
    .flatMap((item) => (item.type === "reasoning" ? (item.content ?? []) : []))
    .map(({ text }) => text)
    .join("");
}

function callOf(response: OpenAI.Responses.Response): OpenAI.Responses.ResponseFunctionToolCall {
  const call = response.output.find((item) => item.type === "function_call");
  expect(call).toMatchObject({ name: weatherName, arguments: '{"location":"Paris"}', status: "completed" });
  return call!;
}

const resultOf = ({ call_id }: { call_id: string }): Input[number] => ({
  type: "function_call_output",
  call_id,
  output: JSON.stringify({ sky: "sunny", temperature: 21 }),
});

describe("create", () => {
  test("answers, with the chain of thought as an item of its own", async () => {
    const response = await client().responses.create({ model, input: sum });
    expect(response.output_text).toBe(sumAnswer);
    expect(response.output.map(({ type }) => type)).toEqual(["reasoning", "message"]);
    expect(reasoningOf(response)).toContain("digit");
    expect(response.status).toBe("completed");
    const { usage } = response;
    expect(usage!.total_tokens).toBe(usage!.input_tokens + usage!.output_tokens);
    expect(usage!.output_tokens_details.reasoning_tokens).toBeGreaterThan(0);
  });

  test("streams the same", async () => {
    const whole = await client().responses.create({ model, input: sum });
    const stream = await client().responses.create({ model, input: sum, stream: true });
    const events: ResponseEvent[] = [];
    for await (const event of stream) events.push(event);
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
    const text = events.map((event) => (event.type === "response.output_text.delta" ? event.delta : ""));
    const thoughts = events.map((event) =>
      event.type === "response.reasoning_text.delta" ? event.delta : "",
    );
    expect(text.join("")).toBe(whole.output_text);
    expect(thoughts.join("")).toBe(reasoningOf(whole));
    expect(events.at(-1)?.type).toBe("response.completed");
  });

  test("a limit makes it incomplete, and says why", async () => {
    const response = await client().responses.create({ model, input: sum, max_output_tokens: 16 });
    expect(response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
    });
    expect(response.output.at(-1)).toMatchObject({ status: "incomplete" });
  });

  test("leaving a stream frees its place", async () => {
    const stream = await client().responses.create({ model, input: sum, stream: true });
    for await (const event of stream) if (event.type === "response.reasoning_text.delta") break;
    await expect.poll(() => server.model.engine.status().running).toBe(0);
  });

  test("errors are the client's own classes", async () => {
    const wrong = client().responses.create({ model: "gpt-17", input: sum });
    await expect(wrong).rejects.toBeInstanceOf(NotFoundError);
    await expect(wrong).rejects.toMatchObject({ code: "model_not_found" });
    const unknown = client().responses.create({ model, input: sum, previous_response_id: "resp_0" });
    await expect(unknown).rejects.toMatchObject({ status: 404, code: "previous_response_not_found" });
    const hot = client().responses.create({ model, input: sum, temperature: 99 });
    await expect(hot).rejects.toBeInstanceOf(BadRequestError);
    await expect(hot).rejects.toMatchObject({ param: "temperature" });
    const long = client().responses.create({ model, input: "long ".repeat(20_000), stream: true });
    await expect(long).rejects.toMatchObject({ status: 400, code: "context_length_exceeded" });
  });
});

describe("the accumulator", () => {
  test("takes every event, and ends with the whole response", async () => {
    const stream = client().responses.stream({ model, input: sum });
    let text = "";
    stream.on("response.output_text.delta", ({ delta, snapshot }) => {
      text += delta;
      expect(snapshot).toBe(text);
    });
    const response = await stream.finalResponse();
    expect(text).toBe(sumAnswer);
    expect(response.output_text).toBe(sumAnswer);
    expect(reasoningOf(response as OpenAI.Responses.Response)).toContain("digit");
  });

  test("takes a summary, which is the chain of thought", async () => {
    const stream = client().responses.stream({ model, input: sum, reasoning: { summary: "auto" } });
    let summary = "";
    stream.on("response.reasoning_summary_text.delta", ({ delta }) => {
      summary += delta;
    });
    const response = await stream.finalResponse();
    expect(summary).toBe(reasoningOf(response as OpenAI.Responses.Response));
    expect(response.output[0]).toMatchObject({ summary: [{ type: "summary_text", text: summary }] });
  });

  test("parses arguments and structured output", async () => {
    const withCall = client().responses.stream({
      model,
      instructions,
      input: weatherQuestion,
      tools: [
        zodResponsesFunction({
          name: weatherName,
          description: weatherDescription,
          parameters: weatherSchema,
        }),
      ],
    });
    const { output } = await withCall.finalResponse();
    const call = output.find((item) => item.type === "function_call");
    expect(call?.parsed_arguments).toEqual({ location: "Paris" });

    const City = z.object({ city: z.enum(["Paris", "London"]), isCapital: z.boolean() });
    const city = client().responses.stream({
      model,
      input: "What is the capital of France?",
      text: { format: zodTextFormat(City, "city") },
    });
    const { output_parsed } = await city.finalResponse();
    expect(City.parse(output_parsed)).toEqual(output_parsed);
  });

  test("an incomplete response is given back, not thrown", async () => {
    const stream = client().responses.stream({ model, input: sum, max_output_tokens: 16 });
    expect((await stream.finalResponse()).status).toBe("incomplete");
  });
});

describe("functions", () => {
  test("the model calls, the client runs, the model answers: by previous_response_id", async () => {
    const { asked, read } = weatherStation();
    const first = await client().responses.create({ model, instructions, input: weatherQuestion, tools });
    const call = callOf(first);
    const output = JSON.stringify(read(JSON.parse(call.arguments)));
    const second = await client().responses.create({
      model,
      instructions,
      tools,
      previous_response_id: first.id,
      input: [{ type: "function_call_output", call_id: call.call_id, output }],
    });
    expect(asked).toEqual(["Paris"]);
    expect(second.output_text).toBe(weatherAnswer);
    expect(second.usage!.input_tokens_details.cached_tokens).toBeGreaterThan(100);
  });

  test("the same with the history sent back, with and without its chain of thought", async () => {
    const question: Input[number] = { role: "user", content: weatherQuestion };
    const asked = { model, instructions, tools, store: false };
    const first = await client().responses.create({ ...asked, input: [question] });
    const call = callOf(first);
    expect(reasoningOf(first)).not.toBe("");
    const ask = (history: Input) =>
      client().responses.create({ ...asked, input: [question, ...history, resultOf(call)] });
    const kept = await ask(first.output as Input);
    const dropped = await ask([call]);
    expect(kept.output_text).toBe(weatherAnswer);
    expect(dropped.output_text).toBe(weatherAnswer);
    expect(dropped.usage!.input_tokens).toBe(kept.usage!.input_tokens);
  });

  test("the chain of thought comes sealed for clients that keep nothing on the server", async () => {
    const question: Input[number] = { role: "user", content: weatherQuestion };
    const asked = {
      model,
      instructions,
      tools,
      store: false,
      include: ["reasoning.encrypted_content" as const],
    };
    const first = await client().responses.create({ ...asked, input: [question] });
    const reasoning = first.output.find((item) => item.type === "reasoning")!;
    expect(reasoning.encrypted_content).toBeTypeOf("string");
    const sealed: Input[number] = {
      type: "reasoning",
      id: reasoning.id,
      summary: [],
      encrypted_content: reasoning.encrypted_content!,
    };
    const call = callOf(first);
    const second = await client().responses.create({
      ...asked,
      input: [question, sealed, call, resultOf(call)],
    });
    expect(second.output_text).toBe(weatherAnswer);
  });

  test("streamed, the arguments come in pieces", async () => {
    const stream = await client().responses.create({
      model,
      instructions,
      input: weatherQuestion,
      tools,
      stream: true,
    });
    let pieces = "";
    let whole: string | undefined;
    for await (const event of stream) {
      if (event.type === "response.function_call_arguments.delta") pieces += event.delta;
      if (event.type === "response.function_call_arguments.done") whole = event.arguments;
    }
    expect(pieces).toBe(whole);
    expect(JSON.parse(pieces)).toEqual({ location: "Paris" });
  });

  test("a call that is demanded is made, one that is forbidden is not", async () => {
    const ask = async (tool_choice: OpenAI.Responses.ResponseCreateParams["tool_choice"]) => {
      const asked = { model, instructions, input: weatherQuestion, tools, tool_choice: tool_choice! };
      const { output } = await client().responses.create(asked);
      return output.filter(({ type }) => type === "function_call").length;
    };
    expect(await ask("required")).toBe(1);
    expect(await ask({ type: "function", name: weatherName })).toBe(1);
    expect(await ask("none")).toBe(0);
  });
});

describe("what is stored", () => {
  test("is retrieved, listed, replayed, deleted", async () => {
    const { responses } = client();
    const made = await responses.create({ model, input: sum });
    const { output_text: _, ...stored } = await responses.retrieve(made.id);
    expect(made).toMatchObject(stored);
    const items = [];
    for await (const item of responses.inputItems.list(made.id)) items.push(item);
    expect(items).toMatchObject([
      { type: "message", role: "user", content: [{ type: "input_text", text: sum }] },
    ]);

    const events: ResponseEvent[] = [];
    for await (const event of await responses.retrieve(made.id, { stream: true })) events.push(event);
    const rest: ResponseEvent[] = [];
    const after = { stream: true, starting_after: 4 } as const;
    for await (const event of await responses.retrieve(made.id, after)) rest.push(event);
    expect(rest).toEqual(events.slice(5));
    expect(events.at(-1)?.type).toBe("response.completed");

    await responses.delete(made.id);
    await expect(responses.retrieve(made.id)).rejects.toBeInstanceOf(NotFoundError);
  });

  test("a conversation goes on from it", async () => {
    const first = await client().responses.create({ model, input: "What is 3 + 4?" });
    const second = await client().responses.create({
      model,
      input: "Who are you?",
      previous_response_id: first.id,
    });
    expect(second.output_text).toContain("ChatGPT");
    expect(second.previous_response_id).toBe(first.id);
  });

  test("what is not stored is not there", async () => {
    const { id } = await client().responses.create({ model, input: sum, store: false });
    await expect(client().responses.retrieve(id)).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe("in the background", () => {
  test("is queued, polled, and done", async () => {
    const { responses } = client();
    const queued = await responses.create({ model, input: sum, background: true });
    expect(["queued", "in_progress"]).toContain(queued.status);
    await expect.poll(async () => (await responses.retrieve(queued.id)).status).toBe("completed");
    expect((await responses.retrieve(queued.id)).output_text).toBe(sumAnswer);
  });

  test("is cancelled", async () => {
    const { responses } = client();
    const longThoughts = { effort: "high" } as const;
    const { id } = await responses.create({ model, input: sum, background: true, reasoning: longThoughts });
    const cancelled = await responses.cancel(id);
    expect(cancelled.status).toBe("cancelled");
    expect((await responses.cancel(id)).status).toBe("cancelled");
    await expect.poll(() => server.model.engine.status().running).toBe(0);
  });

  test("a stream of it is taken up again where it broke off", async () => {
    const { responses } = client();
    const stream = await responses.create({ model, input: sum, background: true, stream: true });
    let id = "";
    let seen = 0;
    for await (const event of stream) {
      if (event.type === "response.created") id = event.response.id;
      seen = event.sequence_number;
      if (event.type === "response.reasoning_text.delta") break;
    }
    const rest: ResponseEvent[] = [];
    const after = { stream: true, starting_after: seen } as const;
    for await (const event of await responses.retrieve(id, after)) rest.push(event);
    expect(rest[0].sequence_number).toBe(seen + 1);
    expect(rest.at(-1)).toMatchObject({ type: "response.completed", response: { status: "completed" } });
    const accumulated = await responses.stream({ response_id: id, starting_after: seen }).finalResponse();
    expect(accumulated.output_text).toBe(sumAnswer);
  });
});

test("input tokens are counted as they will be billed", async () => {
  const input = "What is the capital of France?";
  const { input_tokens } = await client().responses.inputTokens.count({ model, input });
  const { usage } = await client().responses.create({ model, input });
  expect(input_tokens).toBe(usage!.input_tokens);
});

test("a compacted conversation is accepted as input", async () => {
  const { responses } = client();
  const input: Input = [
    { role: "user", content: "What is 3 + 4?" },
    { role: "assistant", content: "3 + 4 = 7." },
    { role: "user", content: "Who are you?" },
  ];
  const compacted = await responses.compact({ model, input });
  expect(compacted.object).toBe("response.compaction");
  expect(compacted.output.map(({ type }) => type)).toContain("compaction");
  const next = await responses.create({
    model,
    input: [...(compacted.output as Input), { role: "user", content: sum }],
  });
  expect(next.status).toBe("completed");
});

describe("WebSocket", () => {
  async function over<Result>(use: (socket: ResponsesWS) => Promise<Result>): Promise<Result> {
    const socket = new ResponsesWS(client());
    try {
      return await use(socket);
    } finally {
      socket.close();
    }
  }

  /** Events of one response, or the error in its place. */
  async function events(
    socket: ResponsesWS,
    create: object,
  ): Promise<OpenAI.Responses.ResponsesServerEvent[]> {
    const seen: OpenAI.Responses.ResponsesServerEvent[] = [];
    socket.send({ type: "response.create", model, ...create } as OpenAI.Responses.ResponsesClientEvent);
    for await (const { type, ...message } of socket.stream()) {
      if (type === "error") throw (message as { error: unknown }).error;
      if (type !== "message" || !("message" in message)) continue;
      seen.push(message.message);
      if (/^(error|response\.(completed|failed|incomplete))$/.test(message.message.type)) return seen;
    }
    throw new Error("the socket closed before the response was complete");
  }

  test("the same events as over HTTP, and one response after the other", async () => {
    await over(async (socket) => {
      const first = await events(socket, { input: sum });
      expect(first[0].type).toBe("response.created");
      const last = first.at(-1);
      expect(last?.type === "response.completed" && last.response.status).toBe("completed");
      const text = first.map((event) => (event.type === "response.output_text.delta" ? event.delta : ""));
      expect(text.join("")).toBe(sumAnswer);
    });
  });

  test("functions, with what is stored nowhere kept as long as the socket is open", async () => {
    const { asked, read } = weatherStation();
    await over(async (socket) => {
      const base = { instructions, tools, store: false };
      const first = (await events(socket, { ...base, input: weatherQuestion })).at(-1);
      if (first?.type !== "response.completed") throw new Error(`ended with ${first?.type}`);
      const call = callOf(first.response);
      const output = JSON.stringify(read(JSON.parse(call.arguments)));
      const second = (
        await events(socket, {
          ...base,
          previous_response_id: first.response.id,
          input: [{ type: "function_call_output", call_id: call.call_id, output }],
        })
      ).at(-1);
      expect(second).toMatchObject({ type: "response.completed" });
      expect(JSON.stringify(second)).toContain(weatherAnswer);
    });
    expect(asked).toEqual(["Paris"]);
  });

  test("an error leaves the socket open", async () => {
    await over(async (socket) => {
      const failed = events(socket, { input: sum, previous_response_id: "resp_0" });
      // The client keeps the event out of what is enumerable.
      const { error } = (await failed.catch((reason: unknown) => reason)) as { error?: unknown };
      expect(error).toMatchObject({
        type: "error",
        status: 400,
        error: { code: "previous_response_not_found" },
      });
      const next = await events(socket, { input: sum });
      expect(next.at(-1)?.type).toBe("response.completed");
    });
  });
});
