import { describe, expect, test } from "vitest";
import { o200kHarmony } from "../tokenizer/index.ts";
import type { LogEntry } from "./context.ts";
import { createMemoryStore, createServer } from "./index.ts";
import { final, get, post, type ScriptedServer, scriptedServer, tokens } from "./testing/scripted-server.ts";

const path = "/v1/chat/completions";
const question = { model: "test", messages: [{ role: "user", content: "a secret question" }] };

async function errorOf(response: Response): Promise<{ status: number; code: string; param: string | null }> {
  const { error } = (await response.json()) as {
    error: { code: string; param: string | null; message: string };
  };
  expect(error.message).toBeTypeOf("string");
  return { status: response.status, code: error.code, param: error.param };
}

const ask = (server: ScriptedServer, init: RequestInit = {}): Promise<Response> =>
  server.fetch(post(path, question, init));

/** Samples until it is aborted. */
const endless = async function* () {
  yield* tokens("<|channel|>final<|message|>");
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield* tokens(" on");
  }
};

describe("bodies", () => {
  const server = scriptedServer([]);
  const send = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    server.fetch(
      new Request(`http://localhost${path}`, {
        method: "POST",
        body,
        headers: { "content-type": "application/json", ...headers },
      }),
    );

  test("that cannot be read are refused, each with its own status", async () => {
    expect(await errorOf(await send("{"))).toMatchObject({ status: 400, code: "invalid_json" });
    expect(await errorOf(await send(""))).toMatchObject({ status: 400, code: "invalid_json" });
    const badUtf8 = Uint8Array.of(0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d);
    expect(await errorOf(await send(badUtf8))).toMatchObject({ status: 400, code: "invalid_json" });
    expect(await errorOf(await send("[".repeat(100_000)))).toMatchObject({
      status: 400,
      code: "invalid_json",
    });
    const deep = `{"model":"test","messages":${"[".repeat(1000)}${"]".repeat(1000)}}`;
    expect(await errorOf(await send(deep))).toMatchObject({ status: 400, code: "invalid_json" });
    expect(await errorOf(await send("null"))).toMatchObject({ status: 400 });
    expect(await errorOf(await send("[]"))).toMatchObject({ status: 400 });
    expect(await errorOf(await send("{}", { "content-type": "text/plain" }))).toMatchObject({
      status: 415,
      code: "unsupported_media_type",
    });
    expect(await errorOf(await send("{}", { "content-encoding": "gzip" }))).toMatchObject({ status: 415 });
  });

  test("may be 10 MB and no larger, whether or not they say so", async () => {
    const large = JSON.stringify({ model: "test", messages: [], padding: "x".repeat(10_000_000) });
    expect(await errorOf(await send(large))).toMatchObject({ status: 413, code: "request_too_large" });
    const chunk = new TextEncoder().encode("x".repeat(1_000_000));
    const stream = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
    const endlessly = new Request(`http://localhost${path}`, {
      method: "POST",
      body: stream,
      duplex: "half",
      headers: { "content-type": "application/json" },
    } as RequestInit);
    expect(await errorOf(await server.fetch(endlessly))).toMatchObject({ status: 413 });
    const fits = JSON.stringify({ ...question, temperature: 9, padding: "[".repeat(9_900_000) });
    expect(await errorOf(await send(fits))).toMatchObject({ status: 400, param: "temperature" });
  });
});

test("a prompt of megabytes is refused before it is read closely", async () => {
  const messages = [{ role: "user", content: "word ".repeat(1_900_000) }];
  const server = scriptedServer([], { contextLength: 8192 });
  const response = await server.fetch(post(path, { model: "test", messages }));
  expect(await response.json()).toMatchObject({
    error: { code: "context_length_exceeded", message: expect.stringContaining("at least") },
  });
});

describe("addresses", () => {
  test("that do not exist, and methods that they do not have", async () => {
    const server = scriptedServer([]);
    expect(await errorOf(await server.fetch(get("/v1/nothing")))).toMatchObject({
      status: 404,
      code: "unknown_url",
    });
    const wrong = await server.fetch(get(path));
    expect(wrong.headers.get("allow")).toBe("POST, OPTIONS");
    expect(await errorOf(wrong)).toMatchObject({ status: 405, code: "method_not_allowed" });
    const head = await server.fetch(new Request("http://localhost/v1/models", { method: "HEAD" }));
    expect(head.status).toBe(200);
  });

  test("models are found by ids with slashes, plain or escaped", async () => {
    const { engine } = scriptedServer([]);
    const models = [{ id: "openai/gpt-oss-20b", created: 7, engine, tokenizer: o200kHarmony() }];
    const server = createServer({ models, store: createMemoryStore() });
    const model = { id: "openai/gpt-oss-20b", object: "model", created: 7, owned_by: "openai" };
    for (const id of ["openai/gpt-oss-20b", "openai%2Fgpt-oss-20b"]) {
      expect(await (await server.fetch(get(`/v1/models/${id}`))).json()).toMatchObject(model);
    }
    expect(await (await server.fetch(get("/v1/models"))).json()).toMatchObject({
      object: "list",
      data: [model],
    });
    expect(await errorOf(await server.fetch(get("/v1/models/other")))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });

  test("a model that is not served is 404, one that is not named 400, unless any name will do", async () => {
    const other = { ...question, model: "gpt-4o" };
    const strict = scriptedServer([]);
    expect(await errorOf(await strict.fetch(post(path, other)))).toMatchObject({
      status: 404,
      code: "model_not_found",
    });
    expect(await errorOf(await strict.fetch(post(path, { ...question, model: undefined })))).toMatchObject({
      status: 400,
      param: "model",
    });
    const lenient = scriptedServer([final("Hi.")], { anyModelName: true });
    expect((await lenient.fetch(post(path, other))).status).toBe(200);
  });
});

describe("keys", () => {
  const keys = [
    { name: "alice", key: "sk-alice-0001" },
    { name: "bob", key: "sk-bob-000002", requestsPerMinute: 1 },
  ];

  test("are asked for where there are any, under the names that clients use", async () => {
    const server = scriptedServer([final("a"), final("b"), final("c")], { keys });
    const refused = await ask(server);
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    expect(await errorOf(refused)).toMatchObject({ status: 401, code: "invalid_api_key" });
    for (const wrong of ["Bearer sk-alice-0002", "Bearer sk-alice-00011", "Bearer ", "Basic sk-alice-0001"]) {
      expect((await ask(server, { headers: { authorization: wrong } })).status).toBe(401);
    }
    expect((await ask(server, { headers: { authorization: "Bearer sk-alice-0001" } })).status).toBe(200);
    expect((await ask(server, { headers: { "x-api-key": "sk-bob-000002" } })).status).toBe(200);
    for (const open of ["/health", "/health/live", "/openapi.json"]) {
      expect((await server.fetch(get(open))).status).toBe(200);
    }
    for (const closed of ["/v1/models", "/metrics"])
      expect((await server.fetch(get(closed))).status).toBe(401);
  });

  test("have limits of their own; waiting helps", async () => {
    let time = 1_000_000;
    const server = scriptedServer([final("a"), final("b"), final("c")], { keys, now: () => time });
    const bob = { headers: { authorization: "Bearer sk-bob-000002" } };
    const first = await ask(server, bob);
    expect(first.headers.get("x-ratelimit-limit-requests")).toBe("1");
    expect(first.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    const second = await ask(server, bob);
    expect(second.headers.get("retry-after")).toBe("60");
    expect(await errorOf(second)).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    expect((await ask(server, { headers: { authorization: "Bearer sk-alice-0001" } })).status).toBe(200);
    time += 60_000;
    expect((await ask(server, bob)).status).toBe(200);
  });

  test("tokens are paid for afterwards, and a debt has to be waited off", async () => {
    let time = 1_000_000;
    const rateLimit = { tokensPerMinute: 60 };
    const server = scriptedServer([final("a"), final("b")], { rateLimit, now: () => time });
    const used = (await (await ask(server)).json()) as { usage: { total_tokens: number } };
    expect(used.usage.total_tokens).toBeGreaterThan(60);
    const refused = await ask(server);
    const seconds = Number(refused.headers.get("retry-after"));
    expect(seconds).toBe(used.usage.total_tokens - 60 + 1);
    expect(await errorOf(refused)).toMatchObject({ status: 429, code: "rate_limit_exceeded" });
    time += seconds * 1000;
    expect((await ask(server)).status).toBe(200);
  });
});

test("each message on a WebSocket counts as a request", async () => {
  const { server } = scriptedServer([], { rateLimit: { requestsPerMinute: 1 } });
  const begin = await server.connect(get("/v1/responses"));
  if (begin instanceof Response) throw new Error("the handshake was refused");
  const sent: string[] = [];
  const session = begin({
    send: async (text) => {
      sent.push(text);
    },
    close: () => {},
  });
  session.receive("one");
  await expect.poll(() => sent.length).toBe(1);
  session.receive("two");
  await expect.poll(() => sent.length).toBe(2);
  expect(sent.map((text) => JSON.parse(text))).toMatchObject([
    { type: "error", status: 400 },
    { type: "error", status: 429, error: { code: "rate_limit_exceeded" } },
  ]);
  session.closed();
});

describe("a full server", () => {
  test("says when to come back", async () => {
    const server = scriptedServer([endless, final("Hi.")], { limits: { requests: 1 } });
    const leaving = new AbortController();
    const first = ask(server, { signal: leaving.signal });
    await expect.poll(() => server.engine.running).toBe(1);
    const refused = await ask(server);
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await errorOf(refused)).toMatchObject({ status: 429, code: "queue_full" });
    leaving.abort();
    await first;
    await expect.poll(async () => (await ask(server)).status).toBe(200);
  });

  test("an answer that takes too long is ended and says so", async () => {
    const server = scriptedServer([endless], { limits: { requestMs: 50 } });
    expect(await errorOf(await ask(server))).toMatchObject({ status: 408, code: "request_timeout" });
    expect(server.engine.running).toBe(0);
  });

  test("an answer that is late sends headers first, and the same JSON", async () => {
    let go = (): void => {};
    const waiting = async function* () {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      yield* tokens(final("Hi."));
    };
    const server = scriptedServer([waiting], { limits: { earlyHeadersMs: 20 } });
    const response = await ask(server);
    go();
    const text = await response.text();
    expect(text).toMatch(/^ +\{/);
    expect(JSON.parse(text)).toMatchObject({ choices: [{ message: { content: "Hi." } }] });
  });

  test("what fails after the headers is told in the body", async () => {
    let fail = (): void => {};
    const failing = async function* () {
      await new Promise((_, reject) => {
        fail = () => reject(new Error("broken"));
      });
      yield 0;
    };
    const response = await ask(scriptedServer([failing], { limits: { earlyHeadersMs: 20 } }));
    fail();
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ error: { code: "server_error" } });
  });
});

describe("web pages", () => {
  const preflight = (server: ScriptedServer, origin: string): Promise<Response> =>
    server.fetch(
      new Request(`http://localhost${path}`, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "authorization,content-type,x-stainless-os,openai-organization",
        },
      }),
    );

  test("on this machine may call, others only where there are keys or where they are named", async () => {
    const allowed = async (origin: string, options = {}): Promise<string | null> =>
      (await preflight(scriptedServer([], options), origin)).headers.get("access-control-allow-origin");
    expect(await allowed("http://localhost:5173")).toBe("http://localhost:5173");
    expect(await allowed("http://127.0.0.1:3000")).toBe("http://127.0.0.1:3000");
    expect(await allowed("https://evil.example")).toBeNull();
    expect(await allowed("https://localhost.evil.example")).toBeNull();
    expect(await allowed("https://app.example", { keys: [{ name: "a", key: "sk-12345678" }] })).toBe("*");
    expect(await allowed("https://app.example", { origins: ["https://app.example"] })).toBe(
      "https://app.example",
    );
    expect(await allowed("https://evil.example", { origins: ["https://app.example"] })).toBeNull();
  });

  test("may send the headers that OpenAI's client sends, and read the request's id", async () => {
    const server = scriptedServer([final("Hi.")]);
    const answer = await preflight(server, "http://localhost:5173");
    expect(answer.status).toBe(204);
    expect(answer.headers.get("access-control-allow-headers")).toContain("x-stainless-os");
    const response = await ask(server, { headers: { origin: "http://localhost:5173" } });
    expect(response.headers.get("access-control-expose-headers")).toContain("x-request-id");
    expect(response.headers.get("x-request-id")).toMatch(/^req_\w+$/);
  });

  test("can read errors, too", async () => {
    const response = await scriptedServer([]).fetch(
      post(path, {}, { headers: { origin: "http://localhost:5173" } }),
    );
    expect(response.status).toBe(400);
    expect(response.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
    expect(response.headers.get("x-request-id")).toMatch(/^req_/);
  });

  test("cannot reach a local server under a name of their own", async () => {
    const server = scriptedServer([], { hosts: [] });
    const foreign = new Request("http://evil.example/v1/models");
    expect(await errorOf(await server.fetch(foreign))).toMatchObject({
      status: 403,
      code: "host_not_allowed",
    });
    expect((await server.fetch(get("/v1/models"))).status).toBe(200);
  });

  test("cannot open a WebSocket from elsewhere", async () => {
    const { server } = scriptedServer([]);
    const request = get("/v1/responses", { origin: "https://evil.example" });
    expect(await server.connect(request)).toMatchObject({ status: 403 });
    expect(await server.connect(get("/v1/responses"))).toBeTypeOf("function");
  });
});

describe("operators", () => {
  test("see whether the server lives and can answer", async () => {
    let ready: (models: []) => void = () => {};
    const models = new Promise<[]>((resolve) => {
      ready = resolve;
    });
    const server = createServer({ models, store: createMemoryStore() });
    expect((await server.fetch(get("/health/live"))).status).toBe(200);
    const waiting = await server.fetch(get("/health"));
    expect(waiting.headers.get("retry-after")).not.toBeNull();
    expect(await errorOf(waiting)).toMatchObject({ status: 503, code: "model_loading" });
    expect(await errorOf(await server.fetch(post(path, question)))).toMatchObject({ status: 503 });
    ready([]);
    await models;
    expect((await server.fetch(get("/health/ready"))).status).toBe(200);
  });

  test("get metrics of requests, tokens and the engine", async () => {
    const server = scriptedServer([final("Hi.")]);
    await ask(server);
    await server.fetch(get("/v1/made-up-0815"));
    const text = await (await server.fetch(get("/metrics"))).text();
    expect(text).toContain(
      'gpt_oss_requests_total{route="/v1/chat/completions",method="POST",status="200"} 1',
    );
    expect(text).toContain('gpt_oss_requests_total{route="unknown",method="GET",status="404"} 1');
    expect(text).toContain('gpt_oss_request_seconds_count{route="/v1/chat/completions"} 1');
    expect(text).toContain('gpt_oss_time_to_first_token_seconds_count{api="chat",model="test"} 1');
    const output = tokens(final("Hi.")).length;
    expect(text).toContain(`gpt_oss_tokens_total{model="test",kind="output"} ${output}`);
    expect(text).toContain('gpt_oss_runs_total{api="chat",model="test",finish_reason="stop"} 1');
    expect(text).toContain('gpt_oss_engine_running{model="test"} 0');
    expect(text).not.toContain("made-up");
    for (const line of text.trim().split("\n")) {
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [-+.\de]+)$/);
    }
  });

  test("get a log that holds nothing that was said, nor a key", async () => {
    const entries: LogEntry[] = [];
    const server = scriptedServer([final("a secret answer")], {
      keys: [{ name: "alice", key: "sk-alice-0001" }],
      log: (entry) => entries.push(entry),
    });
    await ask(server, { headers: { authorization: "Bearer sk-alice-0001", "x-request-id": "mine-1" } });
    expect(entries).toEqual([
      {
        level: "info",
        event: "request",
        requestId: "mine-1",
        method: "POST",
        route: path,
        status: 200,
        seconds: expect.any(Number),
        key: "alice",
      },
    ]);
    expect(JSON.stringify(entries)).not.toMatch(/secret|sk-/);
  });

  test("see what broke, and clients do not", async () => {
    const entries: LogEntry[] = [];
    const broken = () => {
      throw new Error("the disk is on fire");
    };
    const server = scriptedServer([broken], { log: (entry) => entries.push(entry) });
    const response = await ask(server);
    expect(await response.clone().text()).not.toContain("fire");
    expect(await errorOf(response)).toMatchObject({ status: 500, code: "server_error" });
    expect(entries[0]).toMatchObject({
      level: "error",
      error: expect.stringContaining("the disk is on fire"),
    });
  });

  test("do not see a client that left as a failure of the server", async () => {
    const entries: LogEntry[] = [];
    const server = scriptedServer([endless], { log: (entry) => entries.push(entry) });
    const leaving = new AbortController();
    const answer = ask(server, { signal: leaving.signal });
    await expect.poll(() => server.engine.running).toBe(1);
    leaving.abort();
    await answer;
    expect(entries[0]).toMatchObject({ level: "info", status: 499, aborted: true });
  });

  test("get a description of the API that names every path and parses what it describes", async () => {
    const document = (await (await scriptedServer([]).fetch(get("/openapi.json"))).json()) as {
      paths: Record<string, Record<string, { requestBody?: { content: object } }>>;
    };
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining([path, "/v1/models/{id}", "/health"]));
    expect(document.paths[path].post.requestBody?.content).toMatchObject({
      "application/json": {
        schema: { type: "object", required: ["messages"], properties: { temperature: expect.anything() } },
      },
    });
  });
});

describe("a server that stops", () => {
  test("finishes what runs, and takes nothing new", async () => {
    let go = (): void => {};
    const held = async function* () {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      yield* tokens(final("Done."));
    };
    const server = scriptedServer([held]);
    const running = ask(server);
    await expect.poll(() => server.engine.running).toBe(1);
    const closing = server.server.close();
    expect(await errorOf(await ask(server))).toMatchObject({ status: 503, code: "server_stopping" });
    go();
    expect(await (await running).json()).toMatchObject({ choices: [{ message: { content: "Done." } }] });
    await closing;
  });

  test("aborts what does not finish in time, and says so", async () => {
    const server = scriptedServer([endless]);
    const running = ask(server);
    await expect.poll(() => server.engine.running).toBe(1);
    await server.server.close({ graceMs: 30 });
    expect(await errorOf(await running)).toMatchObject({ status: 503, code: "server_stopping" });
    expect(server.engine.running).toBe(0);
  });
});
