import { describe, expect, test } from "vitest";
import {
  calling,
  final,
  post,
  preamble,
  scriptedServer,
  thinking,
  tokens,
} from "../testing/scripted-server.ts";
import { readStrictly } from "./testing/strict-client.ts";
import { create, eventsOf, idOf, path, refused, stream, withPlainIds } from "./testing/talk.ts";
import type { StreamEvent } from "./wire.ts";

const weather = {
  type: "function",
  name: "get_weather",
  description: "Gets the weather.",
  parameters: { type: "object", properties: { location: { type: "string" } }, required: ["location"] },
} as const;

const typesOf = (events: readonly StreamEvent[]): string[] => {
  const types = events.map(({ type }) => type);
  return types.filter((type, index) => type !== types[index - 1]); // deltas once
};

/** Fails where the recorded stream changes; `vitest -u` records it anew. */
async function matchesRecording(name: string, response: Response): Promise<StreamEvent[]> {
  const text = await response.clone().text();
  await expect(withPlainIds(text)).toMatchFileSnapshot(`../../../test/golden/server/${name}.sse`);
  const events = await eventsOf(response);
  readStrictly(events);
  return events;
}

const now = () => 1_750_000_000_000;

describe("streams, as recorded", () => {
  const recorded = async (name: string, script: string, body: object): Promise<StreamEvent[]> => {
    const server = scriptedServer([script], { now });
    return matchesRecording(name, await server.fetch(post(path, { model: "test", stream: true, ...body })));
  };

  test("an answer with reasoning", async () => {
    const events = await recorded("answer", thinking("2+2 is 4.") + final("It is 4."), { input: "2+2?" });
    expect(typesOf(events)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.reasoning_text.delta",
      "response.reasoning_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
  });

  test("a function call after a thought and a plan", async () => {
    const script =
      thinking("I need the weather.") +
      preamble("Let me look.") +
      calling("get_weather", '{"location":"Oslo"}');
    const events = await recorded("function-call", script, { input: "Weather in Oslo?", tools: [weather] });
    const output = readStrictly(events).output;
    expect(output.map(({ type }) => type)).toEqual(["reasoning", "message", "function_call"]);
    expect(output[1]).toMatchObject({ phase: "commentary" });
    expect(output[2]).toMatchObject({
      name: "get_weather",
      arguments: '{"location":"Oslo"}',
      status: "completed",
    });
  });

  test("cut off inside the thoughts", async () => {
    const events = await recorded("cut-off", thinking("Let me think about this for a long while."), {
      input: "Hm?",
      max_output_tokens: 8,
    });
    const response = readStrictly(events);
    expect(response).toMatchObject({
      status: "incomplete",
      incomplete_details: { reason: "max_output_tokens" },
      output: [{ type: "reasoning", status: "incomplete" }],
      usage: { output_tokens: 8, output_tokens_details: { reasoning_tokens: 8 } },
    });
  });

  test("log-probabilities", async () => {
    const events = await recorded("logprobs", final("Hi"), {
      input: "Hello",
      include: ["message.output_text.logprobs"],
      top_logprobs: 1,
    });
    expect(readStrictly(events).output).toMatchObject([
      {
        content: [
          { logprobs: [{ token: "Hi", logprob: 0, bytes: [72, 105], top_logprobs: [{ token: "Hi" }] }] },
        ],
      },
    ]);
  });

  test("an engine that fails in the middle", async () => {
    const server = scriptedServer(
      [
        function* () {
          yield* tokens("<|channel|>final<|message|>It is");
          throw new Error("a secret of the inside");
        },
      ],
      { now },
    );
    const response = await server.fetch(post(path, { model: "test", stream: true, input: "2+2?" }));
    const events = await matchesRecording("failure", response);
    expect(events.at(-2)).toMatchObject({
      type: "error",
      code: "server_error",
      error: { code: "server_error" },
    });
    expect(JSON.stringify(events)).not.toContain("secret");
  });
});

describe("not streaming", () => {
  test("gives the response that the stream ends with", async () => {
    const script = thinking("Hm.") + final("It is 4.");
    const server = scriptedServer([script, script], { now });
    const whole = await create(server, { input: "2+2?" });
    const streamed = readStrictly(await stream(server, { input: "2+2?" }));
    expect(withPlainIds(JSON.stringify(whole))).toBe(withPlainIds(JSON.stringify(streamed)));
    expect(whole.usage).toMatchObject({
      input_tokens: server.engine.requests[0].tokens.length,
      output_tokens: tokens(script).length,
      output_tokens_details: { reasoning_tokens: tokens("<|channel|>analysis<|message|>Hm.<|end|>").length },
    });
  });

  test("sends headers early when the answer takes long, and the answer after them", async () => {
    const slow = async function* () {
      await new Promise((resolve) => setTimeout(resolve, 200));
      yield* tokens(final("Late."));
    };
    const server = scriptedServer([slow], { limits: { earlyHeadersMs: 10 } });
    const response = await server.fetch(post(path, { model: "test", input: "Hi" }));
    const text = await response.text();
    expect(text).toMatch(/^ +\{/);
    expect(JSON.parse(text)).toMatchObject({ status: "completed" });
  });

  test("tells of a failure after the headers inside the response", async () => {
    const failing = async function* () {
      await new Promise((resolve) => setTimeout(resolve, 200));
      yield* tokens("<|channel|>final<|message|>It");
      throw new Error("broken");
    };
    const server = scriptedServer([failing], { limits: { earlyHeadersMs: 10 } });
    const response = await server.fetch(post(path, { model: "test", input: "Hi" }));
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "failed", error: { code: "server_error" } });
  });
});

describe("events that clients disagree about", () => {
  const script = thinking("Hm.") + final("4");
  test("thoughts have OpenAI's name, unless Open Responses is asked for", async () => {
    const server = scriptedServer([script, script]);
    expect(typesOf(await stream(server, { input: "?" }))).toContain("response.reasoning_text.delta");
    const types = typesOf(await stream(server, { input: "?" }, { "OpenResponses-Version": "2026-04-24" }));
    expect(types).toContain("response.reasoning.delta");
    expect(types).toContain("response.reasoning.done");
    expect(types.some((type) => type.includes("reasoning_text"))).toBe(false);
  });

  test("a server can be told to stream no thoughts, and they still come whole", async () => {
    const server = scriptedServer([script], { responses: { reasoningEvents: "none" } });
    const events = await stream(server, { input: "?" });
    expect(typesOf(events).some((type) => type.startsWith("response.reasoning"))).toBe(false);
    const response = (events.at(-1) as { response: { output: unknown } }).response;
    expect(response.output).toMatchObject([{ content: [{ text: "Hm." }] }, { content: [{ text: "4" }] }]);
  });

  test("while nothing happens, response.in_progress says that it still lives", async () => {
    let go = (): void => {};
    const held = async function* () {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      yield* tokens(final("4"));
    };
    const server = scriptedServer([held], { limits: { heartbeatMs: 20 } });
    const response = await server.fetch(post(path, { model: "test", stream: true, input: "?" }));
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk);
      if (text.split("event: response.in_progress\n").length > 3) go();
    }
    const events = await eventsOf(new Response(text, response));
    expect(events.filter(({ type }) => type === "response.in_progress").length).toBeGreaterThan(2);
    readStrictly(events);
  });
});

describe("clients that leave", () => {
  test("free the model's place at once, and the response is kept as cancelled", async () => {
    const endless = async function* () {
      yield* tokens("<|channel|>final<|message|>");
      while (true) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield* tokens(" on");
      }
    };
    const server = scriptedServer([endless]);
    const response = await server.fetch(post(path, { model: "test", stream: true, input: "Go" }));
    const reader = response.body!.getReader();
    const id = await idOf(reader);
    for (let chunk = 0; chunk < 8; chunk++) await reader.read();
    await reader.cancel();
    await expect.poll(() => server.engine.running).toBe(0);
    const kept = await server.fetch(new Request(`http://localhost${path}/${id}`));
    expect(await kept.json()).toMatchObject({
      status: "cancelled",
      output: [{ type: "message", status: "incomplete" }],
    });
  });

  test("and do not wait for a stream: the connection ends the answer", async () => {
    const leaving = new AbortController();
    const endless = async function* () {
      while (true) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield* tokens(" on");
      }
    };
    const server = scriptedServer([endless]);
    const answer = server.fetch(post(path, { model: "test", input: "Go" }, { signal: leaving.signal }));
    await expect.poll(() => server.engine.running).toBe(1);
    leaving.abort();
    await answer;
    await expect.poll(() => server.engine.running).toBe(0);
  });
});

describe("what the model makes up", () => {
  test("a function that was not offered is the server's affair, and the model is told", async () => {
    const server = scriptedServer([calling("rm_rf", "{}"), final("Then not.")]);
    const response = readStrictly(await stream(server, { input: "?", tools: [weather] }));
    expect(response.output).toMatchObject([{ type: "message", content: [{ text: "Then not." }] }]);
    expect(server.prompts()[1]).toContain("unknown tool");
  });

  test("a call without arguments is one with none", async () => {
    const server = scriptedServer([calling("get_weather", "")]);
    const response = readStrictly(await stream(server, { input: "?", tools: [weather] }));
    expect(response.output).toMatchObject([{ type: "function_call", arguments: "{}" }]);
  });

  test("empty thoughts leave no item, an empty answer does", async () => {
    const server = scriptedServer([thinking("") + final("")]);
    const response = readStrictly(await stream(server, { input: "?" }));
    expect(response.output).toMatchObject([{ type: "message", content: [{ text: "" }] }]);
  });

  test("arguments that are cut off are an incomplete call", async () => {
    const server = scriptedServer([calling("get_weather", '{"location":"Oslo, the capital of Norway"}')]);
    const response = readStrictly(
      await stream(server, { input: "?", tools: [weather], max_output_tokens: 14 }),
    );
    expect(response).toMatchObject({
      status: "incomplete",
      output: [{ type: "function_call", status: "incomplete" }],
    });
  });
});

describe("requests that cannot be run", () => {
  const server = scriptedServer([]);
  const cases: readonly (readonly [string, object, number, string, string | null])[] = [
    ["no input", {}, 400, "missing_required_parameter", "input"],
    ["no model", { model: undefined, input: "x" }, 400, "missing_required_parameter", "model"],
    ["unknown model", { model: "gpt-9", input: "x" }, 404, "model_not_found", "model"],
    ["bad role", { input: [{ role: "wizard", content: "x" }] }, 400, "invalid_value", "input[0].role"],
    [
      "bad part",
      { input: [{ role: "user", content: [{ type: "input_text", text: 5 }] }] },
      400,
      "invalid_type",
      "input[0].content[0].text",
    ],
    ["unknown item", { input: [{ type: "spell", id: "x" }] }, 400, "invalid_type", "input[0].type"],
    [
      "output without call",
      { input: [{ type: "function_call_output", call_id: "call_1", output: "x" }] },
      400,
      "invalid_function_call_output",
      "input[0].call_id",
    ],
    ["temperature", { input: "x", temperature: 3 }, 400, "invalid_value", "temperature"],
    ["top_logprobs", { input: "x", top_logprobs: 21 }, 400, "invalid_value", "top_logprobs"],
    ["max_output_tokens", { input: "x", max_output_tokens: 0 }, 400, "invalid_value", "max_output_tokens"],
    [
      "background without store",
      { input: "x", background: true, store: false },
      400,
      "invalid_value",
      "background",
    ],
    [
      "17 pairs",
      { input: "x", metadata: Object.fromEntries([...Array(17).keys()].map((key) => [`${key}`, ""])) },
      400,
      "invalid_value",
      "metadata",
    ],
    ["metadata number", { input: "x", metadata: { a: 1 } }, 400, "invalid_type", "metadata.a"],
    ["conversation", { input: "x", conversation: "conv_1" }, 400, "unsupported_parameter", "conversation"],
    ["prompt", { input: "x", prompt: { id: "p" } }, 400, "unsupported_parameter", "prompt"],
    [
      "choice without tool",
      { input: "x", tool_choice: { type: "function", name: "f" } },
      400,
      "invalid_value",
      "tool_choice",
    ],
    [
      "hosted choice",
      { input: "x", tool_choice: { type: "web_search" } },
      400,
      "invalid_value",
      "tool_choice",
    ],
    ["required without tools", { input: "x", tool_choice: "required" }, 400, "invalid_value", "tool_choice"],
    [
      "tool name",
      { input: "x", tools: [{ type: "function", name: "a b" }] },
      400,
      "invalid_value",
      "tools[0].name",
    ],
    [
      "tool twice",
      { input: "x", tools: [{ type: "web_search" }, weather, weather] },
      400,
      "invalid_value",
      "tools[2].name",
    ],
    [
      "tool without name",
      { input: "x", tools: [{ type: "function" }] },
      400,
      "missing_required_parameter",
      "tools[0].name",
    ],
    ["effort", { input: "x", reasoning: { effort: "heroic" } }, 400, "invalid_value", "reasoning.effort"],
    [
      "previous response",
      { input: "x", previous_response_id: "resp_none" },
      404,
      "previous_response_not_found",
      "previous_response_id",
    ],
    ["item reference without a type", { input: [{ id: "msg_none" }] }, 404, "item_not_found", "input[0]"],
    [
      "item reference",
      { input: [{ type: "item_reference", id: "msg_none" }] },
      404,
      "item_not_found",
      "input[0]",
    ],
    [
      "foreign compaction",
      { input: [{ type: "compaction", encrypted_content: "gAAAAA" }] },
      400,
      "invalid_encrypted_content",
      "input[0].encrypted_content",
    ],
  ];
  test.each(cases)("%s", async (_, body, status, code, param) => {
    expect(await refused(server, body)).toMatchObject({ status, code, param });
    expect(server.engine.requests).toHaveLength(0);
  });

  test("a prompt that is too long, unless old turns may be left out", async () => {
    const small = scriptedServer([final("4")], { contextLength: 200 });
    const input = [
      { role: "user", content: "an old question ".repeat(100) },
      { role: "assistant", content: "an old answer" },
      { role: "developer", content: "Be brief." },
      { role: "user", content: "2+2?" },
    ];
    expect(await refused(small, { input })).toMatchObject({ status: 400, code: "context_length_exceeded" });
    const response = await create(small, { input, truncation: "auto" });
    expect(response).toMatchObject({ status: "completed", truncation: "auto" });
    expect(small.prompts()[0]).not.toContain("old");
    expect(small.prompts()[0]).toContain("Be brief.");
    expect(small.prompts()[0]).toContain("2+2?");
  });
});

describe("requests that other servers' clients send", () => {
  test("an empty input, one token, unknown keys, and tools that are not here", async () => {
    const events: unknown[] = [];
    const server = scriptedServer([final("ok")], { log: (entry) => events.push(entry) });
    const response = await create(server, {
      input: "",
      max_output_tokens: 1,
      $schema: "x",
      service_tier: "auto",
      stream_options: { include_obfuscation: true },
      tools: [{ type: "web_search" }, { type: "custom", name: "apply_patch" }, weather],
    });
    expect(response.tools).toMatchObject([{ name: "get_weather" }]);
    expect(response.status).toBe("incomplete");
    expect(events).toContainEqual(
      expect.objectContaining({ event: "tools-ignored", types: ["web_search", "custom"] }),
    );
  });

  test("can be refused by a strict server", async () => {
    const server = scriptedServer([], { responses: { unsupportedTools: "refuse", media: "refuse" } });
    expect(await refused(server, { input: "x", tools: [{ type: "web_search" }] })).toMatchObject({
      status: 400,
      code: "unsupported_tool",
    });
    const content = [{ type: "input_image", image_url: "data:image/png;base64,AAAA" }];
    expect(await refused(server, { input: [{ role: "user", content }] })).toMatchObject({
      status: 400,
      code: "unsupported_content",
      param: "input[0].content[0]",
    });
  });

  test("max_output_tokens larger than the context is what the context holds", async () => {
    const server = scriptedServer([final("ok")]);
    expect(await create(server, { input: "x", max_output_tokens: 10_000_000 })).toMatchObject({
      status: "completed",
      max_output_tokens: 10_000_000,
    });
  });
});
