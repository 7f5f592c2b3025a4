// OpenAI's own client, Chat Completions: every way to call, against the embedded model.

import OpenAI, { APIError, AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { zodFunction, zodResponseFormat } from "openai/helpers/zod";
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

type Messages = OpenAI.ChatCompletionMessageParam[];
const sum: Messages = [{ role: "user", content: "What is 47 + 85?" }];

/** What the official types do not have. */
type WithReasoning = { readonly reasoning?: string; readonly reasoning_content?: string };

describe("create", () => {
  test("answers, with reasoning and usage beside the text", async () => {
    const completion = await client().chat.completions.create({ model, messages: sum });
    const [{ message, finish_reason }] = completion.choices;
    expect(message.content).toBe("47 + 85 = 132.");
    expect((message as WithReasoning).reasoning).toContain("digit");
    expect((message as WithReasoning).reasoning_content).toBe((message as WithReasoning).reasoning);
    expect(finish_reason).toBe("stop");
    const { usage } = completion;
    expect(usage!.total_tokens).toBe(usage!.prompt_tokens + usage!.completion_tokens);
    expect(usage!.completion_tokens_details!.reasoning_tokens).toBeGreaterThan(0);
    expect(completion._request_id).toMatch(/./);
  });

  test("streams the same, with usage in the end when asked for", async () => {
    const whole = await client().chat.completions.create({ model, messages: sum });
    const stream = await client().chat.completions.create({
      model,
      messages: sum,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let reasoning = "";
    let usage: OpenAI.CompletionUsage | null | undefined;
    const reasons: string[] = [];
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta.content ?? "";
      reasoning += (chunk.choices[0]?.delta as WithReasoning | undefined)?.reasoning ?? "";
      if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      usage = chunk.usage;
    }
    expect(text).toBe(whole.choices[0].message.content);
    expect(reasoning).toBe((whole.choices[0].message as WithReasoning).reasoning);
    expect(reasons).toEqual(["stop"]);
    expect(usage?.completion_tokens).toBe(whole.usage?.completion_tokens);
  });

  test("leaving a stream frees its place", async () => {
    const stream = await client().chat.completions.create({ model, messages: sum, stream: true });
    for await (const _ of stream) break;
    await expect.poll(() => server.model.engine.status().running).toBe(0);
  });

  test("several choices, log-probabilities, a seed, stop strings and a limit", async () => {
    const asked = { model, messages: sum, temperature: 1, seed: 5 };
    const two = await client().chat.completions.create({ ...asked, n: 2, logprobs: true, top_logprobs: 2 });
    expect(two.choices.map(({ index }) => index)).toEqual([0, 1]);
    for (const { logprobs, message } of two.choices) {
      expect(logprobs?.content?.map(({ token }) => token).join("")).toBe(message.content);
      expect(logprobs?.content?.[0].top_logprobs.length).toBe(2);
    }
    const again = await client().chat.completions.create({ ...asked, n: 2 });
    expect(again.choices.map(({ message }) => message.content)).toEqual(
      two.choices.map(({ message }) => message.content),
    );
    const stopped = await client().chat.completions.create({ model, messages: sum, stop: " = " });
    expect(stopped.choices[0]).toMatchObject({ finish_reason: "stop", message: { content: "47 + 85" } });
    const short = await client().chat.completions.create({ model, messages: sum, max_completion_tokens: 5 });
    expect(short.choices[0].finish_reason).toBe("length");
  });

  test("what the model said comes back as history", async () => {
    const first = await client().chat.completions.create({
      model,
      messages: [{ role: "user", content: "What is 3 + 4?" }],
    });
    const messages: Messages = [
      { role: "user", content: "What is 3 + 4?" },
      first.choices[0].message,
      { role: "user", content: "Who are you?" },
    ];
    const second = await client().chat.completions.create({ model, messages });
    expect(second.choices[0].message.content).toContain("ChatGPT");
    expect(second.usage!.prompt_tokens_details!.cached_tokens).toBeGreaterThan(20);
  });
});

describe("the streaming helper", () => {
  test("accumulates to the whole completion", async () => {
    const stream = client().chat.completions.stream({ model, messages: sum });
    const deltas: string[] = [];
    stream.on("content", (delta) => deltas.push(delta));
    expect(await stream.finalContent()).toBe("47 + 85 = 132.");
    expect(deltas.join("")).toBe("47 + 85 = 132.");
    const completion = await stream.finalChatCompletion();
    expect(completion.choices[0].finish_reason).toBe("stop");
  });
});

describe("tools", () => {
  const messages: Messages = [
    { role: "system", content: instructions },
    { role: "user", content: weatherQuestion },
  ];
  const description = { name: weatherName, description: weatherDescription };

  test("runTools calls the function and answers from its result", async () => {
    const { asked, read } = weatherStation();
    const runner = client().chat.completions.runTools({
      model,
      messages,
      tools: [zodFunction({ ...description, parameters: weatherSchema, function: read })],
    });
    expect(await runner.finalContent()).toBe(weatherAnswer);
    expect(asked).toEqual(["Paris"]);
  });

  test("runTools does it streaming, too", async () => {
    const { asked, read } = weatherStation();
    const runner = client().chat.completions.runTools({
      model,
      messages,
      stream: true,
      tools: [
        {
          type: "function",
          function: { ...description, parameters: weatherParameters, parse: JSON.parse, function: read },
        },
      ],
    });
    let text = "";
    runner.on("content", (delta) => {
      text += delta;
    });
    expect(await runner.finalContent()).toBe(weatherAnswer);
    expect(text).toContain(weatherAnswer);
    expect(asked).toEqual(["Paris"]);
  });

  test("by hand, and the chain of thought is kept for a client that drops it", async () => {
    const tools: OpenAI.ChatCompletionTool[] = [
      { type: "function", function: { ...description, parameters: weatherParameters } },
    ];
    const first = await client().chat.completions.create({ model, messages, tools });
    const [{ message, finish_reason }] = first.choices;
    expect(finish_reason).toBe("tool_calls");
    expect(message.content).toBe(null);
    const [call] = message.tool_calls!;
    expect(call).toMatchObject({
      type: "function",
      function: { name: weatherName, arguments: '{"location":"Paris"}' },
    });
    const { reasoning, reasoning_content: _, ...bare } = message as typeof message & WithReasoning;
    const result: Messages[number] = {
      role: "tool",
      tool_call_id: call.id,
      content: JSON.stringify({ sky: "sunny", temperature: 21 }),
    };
    const ask = (assistant: Messages[number]) =>
      client().chat.completions.create({ model, messages: [...messages, assistant, result], tools });
    const dropped = await ask(bare);
    const kept = await ask({ ...bare, reasoning } as Messages[number]);
    expect(dropped.choices[0].message.content).toBe(weatherAnswer);
    expect(dropped.usage!.prompt_tokens).toBe(kept.usage!.prompt_tokens);
  });

  test("a call that is demanded is made, one that is forbidden is not", async () => {
    const tools: OpenAI.ChatCompletionTool[] = [
      { type: "function", function: { ...description, parameters: weatherParameters } },
    ];
    const ask = async (tool_choice: OpenAI.ChatCompletionToolChoiceOption) => {
      const { choices } = await client().chat.completions.create({ model, messages, tools, tool_choice });
      return choices[0].message.tool_calls?.length ?? 0;
    };
    expect(await ask("required")).toBe(1);
    expect(await ask({ type: "function", function: { name: weatherName } })).toBe(1);
    expect(await ask("none")).toBe(0);
  });
});

describe("structured output", () => {
  const City = z.object({ city: z.enum(["Paris", "London"]), isCapital: z.boolean() });

  test("parse gives what the schema says", async () => {
    const completion = await client().chat.completions.parse({
      model,
      messages: [{ role: "user", content: "What is the capital of France?" }],
      response_format: zodResponseFormat(City, "city"),
    });
    const { parsed } = completion.choices[0].message;
    expect(City.parse(parsed)).toEqual(parsed);
  });

  test("JSON of any shape is JSON", async () => {
    const { choices } = await client().chat.completions.create({
      model,
      messages: [{ role: "user", content: "What is the capital of France? Answer as JSON." }],
      response_format: { type: "json_object" },
      max_completion_tokens: 300,
    });
    if (choices[0].finish_reason === "stop")
      expect(JSON.parse(choices[0].message.content!)).toBeTypeOf("object");
    else expect(choices[0].message.content).toMatch(/^\s*\{|^$/);
  });
});

describe("models and errors", () => {
  test("models are listed and retrieved", async () => {
    const { data } = await client().models.list();
    expect(data.map(({ id }) => id)).toContain(model);
    expect(await client().models.retrieve(model)).toMatchObject({ id: model, object: "model" });
  });

  test("errors are the client's own classes, with code and param", async () => {
    const wrong = client().chat.completions.create({ model: "gpt-17", messages: sum });
    await expect(wrong).rejects.toBeInstanceOf(NotFoundError);
    await expect(wrong).rejects.toMatchObject({ status: 404, code: "model_not_found" });
    const hot = client().chat.completions.create({ model, messages: sum, temperature: 99 });
    await expect(hot).rejects.toBeInstanceOf(BadRequestError);
    await expect(hot).rejects.toMatchObject({ param: "temperature" });
    const bad = client().chat.completions.create({
      model,
      messages: sum,
      response_format: { type: "json_schema", json_schema: { name: "x", schema: { $ref: "#/nowhere" } } },
    });
    await expect(bad).rejects.toBeInstanceOf(BadRequestError);
    const long = client().chat.completions.create({
      model,
      messages: [{ role: "user", content: "long ".repeat(20_000) }],
    });
    await expect(long).rejects.toMatchObject({ status: 400, code: "context_length_exceeded" });
    await expect(long).rejects.toBeInstanceOf(APIError);
  });
});

describe("a server with keys", () => {
  const locked = useServer({ keys: [{ name: "me", key: "sk-right" }] });

  test("lets in who has one", async () => {
    const of = (apiKey: string) => new OpenAI({ baseURL: locked.baseURL, apiKey, maxRetries: 0 });
    await expect(of("sk-wrong").models.list()).rejects.toBeInstanceOf(AuthenticationError);
    expect((await of("sk-right").models.list()).data.length).toBe(1);
  });
});
