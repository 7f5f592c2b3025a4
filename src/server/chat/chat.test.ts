import { describe, expect, test } from "vitest";
import {
  calling,
  final,
  framesOf,
  post,
  preamble,
  type ScriptedServer,
  scriptedServer,
  thinking,
  tokens,
} from "../testing/scripted-server.ts";

const path = "/v1/chat/completions";
const user = (content: string) => ({ role: "user", content });
const question = { model: "test", messages: [user("What is the weather in Paris?")] };

const getWeather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "Gets the current weather.",
    parameters: { type: "object", properties: { location: { type: "string" } } },
  },
};

interface Choice {
  readonly index: number;
  readonly message: Record<string, unknown>;
  readonly logprobs: { readonly content: readonly { readonly token: string }[] } | null;
  readonly finish_reason: string;
}

interface Completion {
  readonly id: string;
  readonly choices: readonly Choice[];
  readonly usage: Record<string, unknown>;
}

async function complete(server: ScriptedServer, body: object): Promise<Completion> {
  const response = await server.fetch(post(path, { ...question, ...body }));
  const json = (await response.json()) as Completion;
  expect(response.status, JSON.stringify(json)).toBe(200);
  return json;
}

interface Chunk {
  readonly id: string;
  readonly choices: readonly {
    readonly index: number;
    readonly delta: Record<string, unknown>;
    readonly logprobs: unknown;
    readonly finish_reason: string | null;
  }[];
  readonly usage?: unknown;
}

async function stream(server: ScriptedServer, body: object): Promise<Chunk[]> {
  const response = await server.fetch(post(path, { ...question, stream: true, ...body }));
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const frames = await framesOf(response);
  expect(frames.pop()).toBe("[DONE]");
  return frames as Chunk[];
}

const deltas = (chunks: readonly Chunk[]) =>
  chunks.flatMap(({ choices }) => choices.map(({ delta }) => delta));

async function refusal(body: object): Promise<unknown> {
  const response = await scriptedServer([]).fetch(post(path, { ...question, ...body }));
  expect(response.status).toBe(400);
  return ((await response.json()) as { error: unknown }).error;
}

describe("a completion", () => {
  test("has the answer, the reasoning under both names, and exact usage", async () => {
    const script = thinking("A sum.") + final("132");
    const server = scriptedServer([script]);
    const { id, choices, usage, ...rest } = await complete(server, { messages: [user("47 + 85?")] });
    expect(id).toMatch(/^chatcmpl-[0-9a-f]{32}$/);
    expect(rest).toMatchObject({ object: "chat.completion", model: "test", service_tier: "default" });
    expect(choices).toEqual([
      {
        index: 0,
        message: {
          role: "assistant",
          content: "132",
          refusal: null,
          reasoning: "A sum.",
          reasoning_content: "A sum.",
          annotations: [],
        },
        logprobs: null,
        finish_reason: "stop",
      },
    ]);
    const prompt = server.engine.requests[0].tokens.length;
    const output = tokens(script).length;
    expect(usage).toEqual({
      prompt_tokens: prompt,
      completion_tokens: output,
      total_tokens: prompt + output,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
      completion_tokens_details: {
        reasoning_tokens: tokens("<|channel|>analysis<|message|>A sum.<|end|>").length,
        audio_tokens: 0,
      },
    });
  });

  test("without a thought has no reasoning fields; one cut off while thinking keeps the thought", async () => {
    const { choices } = await complete(scriptedServer([final("Hi.")]), {});
    expect(choices[0].message).not.toHaveProperty("reasoning");
    const cut = await complete(scriptedServer([thinking("Let me think about it.") + final("no")]), {
      max_completion_tokens: 6,
    });
    expect(cut.choices[0]).toMatchObject({
      message: { content: "", reasoning: "Let me think" },
      finish_reason: "length",
    });
  });

  test("hides the reasoning when asked to", async () => {
    for (const body of [{ reasoning: { exclude: true } }, { include_reasoning: false }]) {
      const { choices } = await complete(scriptedServer([thinking("Secret.") + final("Hi.")]), body);
      expect(JSON.stringify(choices)).not.toContain("Secret");
    }
  });

  test("is the fold of its stream", async () => {
    const script =
      preamble("I look.") + thinking("Call it.") + calling("get_weather", '{"location":"Paris"}');
    const body = { tools: [getWeather] };
    const whole = await complete(scriptedServer([script]), body);
    const parts = deltas(await stream(scriptedServer([script]), body));
    const joined = (key: string): string => parts.map((delta) => delta[key] ?? "").join("");
    expect(whole.choices[0].message).toMatchObject({
      content: joined("content"),
      reasoning: joined("reasoning"),
      tool_calls: [
        { type: "function", function: { name: "get_weather", arguments: '{"location":"Paris"}' } },
      ],
    });
    expect(whole.choices[0].finish_reason).toBe("tool_calls");
  });

  test("with a call and nothing said has null content", async () => {
    const { choices } = await complete(scriptedServer([calling("get_weather", "")]), { tools: [getWeather] });
    expect(choices[0].message).toMatchObject({
      content: null,
      tool_calls: [{ function: { name: "get_weather", arguments: "{}" } }],
    });
  });

  test("calls by function_call for those who still declare functions", async () => {
    const { choices } = await complete(scriptedServer([calling("get_weather", '{"a":1}')]), {
      functions: [getWeather.function],
    });
    expect(choices[0].message).toMatchObject({
      content: null,
      function_call: { name: "get_weather", arguments: '{"a":1}' },
    });
    expect(choices[0].finish_reason).toBe("function_call");
  });

  test("does not show a call of a tool that nobody offered: the model is told, and answers", async () => {
    const server = scriptedServer([calling("launch", "{}"), final("Sorry.")]);
    const { choices } = await complete(server, { tools: [getWeather] });
    expect(choices[0]).toMatchObject({ message: { content: "Sorry." }, finish_reason: "stop" });
    expect(choices[0].message).not.toHaveProperty("tool_calls");
    expect(server.prompts()[1]).toContain("unknown tool");
  });
});

describe("a stream", () => {
  test("has the chunks that clients expect, in order", async () => {
    const chunks = await stream(scriptedServer([thinking("Sum.") + final("132 ✓")]), {});
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(deltas(chunks)).toEqual([
      { role: "assistant", content: "" },
      { reasoning: "Sum", reasoning_content: "Sum" },
      { reasoning: ".", reasoning_content: "." },
      { content: "132" },
      { content: " ✓" },
      {},
    ]);
    expect(chunks.at(-1)?.choices[0].finish_reason).toBe("stop");
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  test("names a call once and then sends its arguments", async () => {
    const chunks = await stream(scriptedServer([calling("get_weather", '{"location":"Paris"}')]), {
      tools: [getWeather],
    });
    const calls = deltas(chunks).flatMap(({ tool_calls }) => (tool_calls as Record<string, unknown>[]) ?? []);
    expect(calls[0]).toEqual({
      index: 0,
      id: expect.stringMatching(/^call_\w{1,59}$/),
      type: "function",
      function: { name: "get_weather", arguments: "" },
    });
    expect(calls.slice(1).every((call) => !("id" in call) && !("type" in call))).toBe(true);
    const text = calls.map((call) => (call.function as { arguments: string }).arguments).join("");
    expect(text).toBe('{"location":"Paris"}');
    expect(chunks.at(-1)?.choices[0].finish_reason).toBe("tool_calls");
  });

  test("ends with usage when asked to, and says null before", async () => {
    const chunks = await stream(scriptedServer([final("Hi.")]), { stream_options: { include_usage: true } });
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { completion_tokens: tokens(final("Hi.")).length },
    });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  test("tells of an error in the middle, and ends without a finish reason", async () => {
    const failing = function* () {
      yield* tokens("<|channel|>final<|message|>one two");
      throw new Error("the backend broke, and this is secret");
    };
    const response = await scriptedServer([failing]).fetch(post(path, { ...question, stream: true }));
    const frames = await framesOf(response);
    expect(frames.at(-1)).toEqual({
      error: { message: "The server had an error.", type: "server_error", param: null, code: "server_error" },
    });
    expect(JSON.stringify(frames)).not.toContain("secret");
    expect(JSON.stringify(frames)).not.toContain('"finish_reason":"');
  });

  test("that nobody reads any more frees the model, as it does when the request is aborted", async () => {
    const endless = async function* () {
      yield* tokens("<|channel|>final<|message|>");
      while (true) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield* tokens(" on");
      }
    };
    const server = scriptedServer([endless, endless]);
    const response = await server.fetch(post(path, { ...question, stream: true }));
    const reader = response.body!.getReader();
    for (let read = 0; read < 4; read++) await reader.read();
    expect(server.engine.running).toBe(1);
    await reader.cancel();
    await expect.poll(() => server.engine.running).toBe(0);

    const leaving = new AbortController();
    const waiting = server.fetch(post(path, question, { signal: leaving.signal }));
    await expect.poll(() => server.engine.running).toBe(1);
    leaving.abort();
    await waiting;
    await expect.poll(() => server.engine.running).toBe(0);
  });

  test("goes only as fast as it is read", async () => {
    let made = 0;
    const endless = function* () {
      yield* tokens("<|channel|>final<|message|>");
      while (true) {
        made++;
        yield* tokens(" on");
      }
    };
    const response = await scriptedServer([endless]).fetch(post(path, { ...question, stream: true }));
    const reader = response.body!.getReader();
    for (let read = 0; read < 10; read++) await reader.read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    // 10 writes of 16 frames, and what is on its way to them
    expect(made).toBeLessThan(180);
    await reader.cancel();
  });
});

describe("choices", () => {
  test("are counted, each with its own seed, and the prompt counts once", async () => {
    const server = scriptedServer([final("a"), final("b"), final("c")]);
    const { choices, usage } = await complete(server, { n: 3, seed: 7, temperature: 1 });
    expect(choices.map(({ index, message }) => [index, message.content])).toEqual([
      [0, "a"],
      [1, "b"],
      [2, "c"],
    ]);
    expect(server.engine.requests.map(({ sampling }) => sampling?.seed)).toEqual([7, 8, 9]);
    expect(usage.prompt_tokens).toBe(server.engine.requests[0].tokens.length);
  });

  test("come side by side in a stream", async () => {
    const slowly = async function* (text: string) {
      for (const token of tokens(text)) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        yield token;
      }
    };
    const scripts = ["one two three four", "five six seven eight"].map((text) => () => slowly(final(text)));
    const chunks = await stream(scriptedServer(scripts), { n: 2 });
    const order = chunks.flatMap(({ choices }) => choices.map(({ index }) => index));
    expect(order.lastIndexOf(0)).toBeGreaterThan(order.indexOf(1));
    expect(order.lastIndexOf(1)).toBeGreaterThan(order.indexOf(0));
    for (const index of [0, 1]) {
      const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
      expect(own.map(({ delta }) => delta.content ?? "").join("")).toBe(
        ["one two three four", "five six seven eight"][index],
      );
      expect(own.at(-1)?.finish_reason).toBe("stop");
    }
  });

  test("are all refused when there is not room for all", async () => {
    const server = scriptedServer([final("a"), final("b"), final("c")], { limits: { requests: 2 } });
    const response = await server.fetch(post(path, { ...question, n: 3 }));
    expect(response.status).toBe(429);
    await expect.poll(() => server.engine.running).toBe(0);
  });
});

describe("log-probabilities", () => {
  test("are of the content, not of thoughts or headers", async () => {
    const script = thinking("Hm.") + final("Yes it is");
    const body = { logprobs: true, top_logprobs: 1 };
    const { choices } = await complete(scriptedServer([script]), body);
    expect(choices[0].logprobs?.content.map(({ token }) => token)).toEqual(["Yes", " it", " is"]);
    expect(choices[0].logprobs?.content[0]).toEqual({
      token: "Yes",
      logprob: 0,
      bytes: [89, 101, 115],
      top_logprobs: [{ token: "Yes", logprob: 0, bytes: [89, 101, 115] }],
    });
    const chunks = await stream(scriptedServer([script]), body);
    const streamed = chunks.flatMap(({ choices: [choice] }) =>
      choice.logprobs === null ? [] : (choice.logprobs as Choice["logprobs"])!.content,
    );
    expect(streamed.map(({ token }) => token)).toEqual(["Yes", " it", " is"]);
  });
});

describe("settings", () => {
  test("reach the engine", async () => {
    const server = scriptedServer([final("Hi.")]);
    await complete(server, {
      temperature: 0.5,
      top_p: 0.9,
      frequency_penalty: 1,
      presence_penalty: -1,
      logit_bias: { "42": -100 },
      seed: 3,
      max_tokens: 50,
      top_k: 40,
      min_p: 0.1,
    });
    expect(server.engine.requests[0]).toMatchObject({
      maxTokens: 50,
      sampling: {
        temperature: 0.5,
        topP: 0.9,
        frequencyPenalty: 1,
        presencePenalty: -1,
        logitBias: new Map([[42, -100]]),
        seed: 3,
        topK: 40,
        minP: 0.1,
      },
    });
  });

  test("stop strings cut the answer, also in a stream, and only there", async () => {
    const script = thinking("STOP thinking.") + final("one two STOP three");
    const { choices } = await complete(scriptedServer([script]), { stop: "STOP" });
    expect(choices[0]).toMatchObject({ message: { content: "one two " }, finish_reason: "stop" });
    const chunks = await stream(scriptedServer([script]), { stop: ["STOP", "x"] });
    expect(
      deltas(chunks)
        .map(({ content }) => content ?? "")
        .join(""),
    ).toBe("one two ");
  });

  test("effort has several spellings", async () => {
    const efforts = [
      [{ reasoning_effort: "high" }, "high"],
      [{ reasoning: { effort: "low" } }, "low"],
      [{ chat_template_kwargs: { reasoning_effort: "high" } }, "high"],
      [{ reasoning_effort: "minimal" }, "low"],
      [{ reasoning_effort: "xhigh" }, "high"],
      [{}, "medium"],
    ] as const;
    for (const [body, effort] of efforts) {
      const server = scriptedServer([final("Hi.")]);
      await complete(server, body);
      expect(server.prompts()[0]).toContain(`Reasoning: ${effort}`);
    }
    const none = scriptedServer(["Hi.<|return|>"]);
    await complete(none, { reasoning_effort: "none" });
    expect(none.prompts()[0].endsWith("<|channel|>final<|message|>")).toBe(true);
  });

  test("that a client sends as null, and fields of other vendors, are as if they were not there", async () => {
    const nulls = { temperature: null, stop: null, tools: null, seed: null, n: null, logprobs: null };
    const { choices } = await complete(scriptedServer([final("Hi.")]), { ...nulls, user: "me", made_up: 1 });
    expect(choices[0].message.content).toBe("Hi.");
  });

  test("that are wrong are refused with the place", async () => {
    expect(await refusal({ temperature: 3 })).toMatchObject({ param: "temperature", code: "invalid_value" });
    expect(await refusal({ messages: undefined })).toMatchObject({
      param: "messages",
      code: "missing_required_parameter",
    });
    expect(await refusal({ messages: [] })).toMatchObject({ param: "messages" });
    expect(await refusal({ messages: [{ role: "user", content: 5 }] })).toMatchObject({
      param: "messages[0].content",
      code: "invalid_type",
    });
    expect(await refusal({ messages: [{ role: "wizard", content: "" }] })).toMatchObject({
      param: "messages[0].role",
    });
    expect(await refusal({ n: 1000 })).toMatchObject({ param: "n" });
    expect(await refusal({ stop: ["a", "b", "c", "d", "e"] })).toMatchObject({ param: "stop" });
    expect(await refusal({ top_logprobs: 2 })).toMatchObject({ param: "top_logprobs" });
    expect(await refusal({ tool_choice: "required" })).toMatchObject({ param: "tool_choice" });
    expect(await refusal({ modalities: ["text", "audio"] })).toMatchObject({ code: "unsupported_parameter" });
    expect(await refusal({ tools: [{ type: "custom", custom: {} }] })).toMatchObject({
      param: "tools[0].type",
    });
    const tool_choice = { type: "function", function: { name: "other" } };
    expect(await refusal({ tools: [getWeather], tool_choice })).toMatchObject({ param: "tool_choice" });
    const odd = { id: "call_x", type: "function", function: { name: "f to=user", arguments: "{}" } };
    expect(await refusal({ messages: [user("a"), { role: "assistant", tool_calls: [odd] }] })).toMatchObject({
      param: "messages[1].tool_calls[0].function.name",
    });
    const orphan = { role: "tool", tool_call_id: "call_x", content: "sunny" };
    expect(await refusal({ messages: [user("a"), orphan] })).toMatchObject({
      param: "messages[1].tool_call_id",
      code: "invalid_function_call_output",
    });
  });
});

describe("a conversation", () => {
  test("becomes harmony: instructions, reasoning of the open turn, calls and results", async () => {
    const server = scriptedServer([final("Sunny.")]);
    await complete(server, {
      tools: [getWeather],
      messages: [
        { role: "system", content: "Be brief." },
        { role: "developer", content: [{ type: "text", text: "Be kind." }] },
        user("Weather?"),
        {
          role: "assistant",
          content: "I look.",
          reasoning_content: "Need the weather.",
          tool_calls: [
            {
              id: "call_1",
              type: "function",
              function: { name: "get_weather", arguments: '{"location":"Paris"}' },
            },
          ],
        },
        { role: "tool", tool_call_id: "call_1", content: '{"sky":"sunny"}' },
      ],
    });
    const [prompt] = server.prompts();
    expect(prompt).toContain("# Instructions\n\nBe brief.\n\nBe kind.\n\n# Tools");
    expect(prompt).toContain(
      "<|start|>user<|message|>Weather?<|end|>" +
        "<|start|>assistant<|channel|>analysis<|message|>Need the weather.<|end|>" +
        "<|start|>assistant<|channel|>commentary<|message|>I look.<|end|>" +
        '<|start|>assistant to=functions.get_weather<|channel|>commentary <|constrain|>json<|message|>{"location":"Paris"}<|call|>' +
        '<|start|>functions.get_weather to=assistant<|channel|>commentary<|message|>{"sky":"sunny"}<|end|>',
    );
  });

  test("gets the thoughts before a call back when the client has dropped them", async () => {
    const call = thinking("Need the weather.") + calling("get_weather", '{"location":"Paris"}');
    const server = scriptedServer([call, final("Sunny.")]);
    const first = await complete(server, { tools: [getWeather] });
    const { tool_calls } = first.choices[0].message as { tool_calls: [{ id: string }] };
    await complete(server, {
      tools: [getWeather],
      messages: [
        ...question.messages,
        { role: "assistant", content: null, tool_calls },
        { role: "tool", tool_call_id: tool_calls[0].id, content: "sunny" },
      ],
    });
    expect(server.prompts()[1]).toContain("analysis<|message|>Need the weather.<|end|>");
  });

  test("with functions of old has its results named", async () => {
    const server = scriptedServer([final("Sunny.")]);
    await complete(server, {
      functions: [getWeather.function],
      messages: [
        user("Weather?"),
        { role: "assistant", content: null, function_call: { name: "get_weather", arguments: "{}" } },
        { role: "function", name: "get_weather", content: "sunny" },
      ],
    });
    expect(server.prompts()[0]).toContain("<|start|>functions.get_weather to=assistant");
  });

  test("that ends with the assistant's words is continued there", async () => {
    const server = scriptedServer([" 132.<|return|>"]);
    const { choices } = await complete(server, {
      messages: [user("47 + 85?"), { role: "assistant", content: "The sum is" }],
    });
    expect(server.prompts()[0].endsWith("<|start|>assistant<|channel|>final<|message|>The sum is")).toBe(
      true,
    );
    expect(choices[0].message.content).toBe(" 132.");
  });

  test("longer than the context is refused with the code that clients know", async () => {
    const server = scriptedServer([final("no")], { contextLength: 60 });
    const response = await server.fetch(post(path, { ...question, messages: [user("word ".repeat(100))] }));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "context_length_exceeded" } });
    expect(server.engine.running).toBe(0);
  });
});
