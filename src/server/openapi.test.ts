// The description of the API is what other programs are made from: what it leaves out, they cannot read.

import { describe, expect, test } from "vitest";
import { checkDescribed } from "./testing/described.ts";
import { calling, final, framesOf, get, post, scriptedServer, thinking } from "./testing/scripted-server.ts";

type Json = { readonly [key: string]: unknown };

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Json>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}

const tools = [{ type: "function", name: "get_weather", parameters: { type: "object" } }];
const chatTools = tools.map(({ type, ...rest }) => ({ type, function: rest }));
const messages = [{ role: "user", content: "?" }];
const include = ["reasoning.encrypted_content", "message.output_text.logprobs"];
const format = { type: "json_schema", name: "n", schema: { type: "object" } };

/** What is asked of an operation, to see as much of its answers as there is. */
const cases: Readonly<Record<string, readonly object[]>> = {
  "post /v1/responses": [
    {
      input: "?",
      tools,
      tool_choice: "required",
      reasoning: { summary: "auto" },
      include,
      metadata: { a: "b" },
    },
    { input: "?", tools, reasoning: { summary: "auto" }, include, top_logprobs: 2, stream: true },
    { input: "?", stream: true, max_output_tokens: 2, text: { verbosity: "low", format } },
    { input: "?", background: true },
    { input: "?", background: true, stream: true },
  ],
  "post /v1/responses/input_tokens": [{ input: "?" }],
  "post /v1/responses/compact": [{ input: "?" }],
  "post /v1/chat/completions": [
    { messages, tools: chatTools, logprobs: true, top_logprobs: 2, n: 2 },
    { messages, functions: [{ name: "get_weather" }], stream: true, stream_options: { include_usage: true } },
    { messages, tools: chatTools, stream: true, logprobs: true },
    { messages, max_tokens: 2 },
  ],
  "post /v1/completions": [
    { prompt: "?", logprobs: 2 },
    { prompt: "?", stream: true, stream_options: { include_usage: true } },
  ],
};

const script = thinking("Hm.") + calling("get_weather", '{"a":1}');
const scripts = () => Array.from({ length: 20 }, (_, index) => (index % 3 === 0 ? final("ok") : script));
const documentOf = async (): Promise<Document> =>
  (await scriptedServer([]).fetch(get("/openapi.json"))).json() as Promise<Document>;

describe("the description of the API", () => {
  test("holds for every operation that it names", async () => {
    const { paths } = await documentOf();
    const server = scriptedServer(scripts());
    const created = await server.fetch(
      post("/v1/responses", { model: "test", input: "?", background: true }),
    );
    const { id } = (await created.json()) as { id: string };
    const names = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    for (const name of names) {
      const [method, path] = name.split(" ");
      if (method === "delete") continue; // comes last
      const place = path.replace("/models/{id}", "/models/test").replace("{id}", id);
      for (const body of cases[name] ?? [undefined]) {
        const request =
          method === "get" ? get(place) : post(place, body === undefined ? "" : { model: "test", ...body });
        const response = await server.fetch(request);
        expect(response.status, name).toBe(200);
        await response.text();
      }
    }
    for (const query of ["?stream=true", "/input_items"])
      await (await server.fetch(get(`/v1/responses/${id}${query}`))).text();
    const deleting = new Request(`http://localhost/v1/responses/${id}`, { method: "DELETE" });
    expect(await (await server.fetch(deleting)).json()).toMatchObject({ deleted: true });
  });

  test("names every route that there is, with a body for each of its answers", async () => {
    const { paths, components } = await documentOf();
    expect(Object.keys(paths).sort()).toEqual([
      "/health",
      "/health/live",
      "/health/ready",
      "/metrics",
      "/openapi.json",
      "/v1/chat/completions",
      "/v1/completions",
      "/v1/models",
      "/v1/models/{id}",
      "/v1/responses",
      "/v1/responses/compact",
      "/v1/responses/input_tokens",
      "/v1/responses/{id}",
      "/v1/responses/{id}/cancel",
      "/v1/responses/{id}/input_items",
    ]);
    const text = JSON.stringify(paths);
    for (const [, name] of JSON.stringify({ paths, components }).matchAll(/"#\/components\/schemas\/(\w+)"/g))
      expect(components.schemas).toHaveProperty(name);
    expect(text).toContain("#/components/schemas/ResponseStreamEvent");
    expect(text).toContain("#/components/schemas/ChatCompletionChunk");
    expect(text).not.toContain('"schema":{}');
  });

  test("is no description of anything: a key more, a key less, an unknown event and status do not pass", async () => {
    const server = scriptedServer([thinking("Hm.") + final("ok"), final("ok")]);
    const request = post("/v1/responses", { model: "test", input: "?" });
    const body = (await (await server.fetch(request)).json()) as Json;
    const answered = (value: unknown, init: ResponseInit = {}) => {
      const response = Response.json(value, init);
      return checkDescribed(request, response, JSON.stringify(value));
    };
    await answered(body);
    await expect(answered({ ...body, more: 1 })).rejects.toThrow("additional properties");
    const { usage: _, ...less } = body;
    await expect(answered(less)).rejects.toThrow("'usage'");
    await expect(answered({ error: { message: "x" } }, { status: 400 })).rejects.toThrow("'type'");
    await expect(answered({}, { status: 418 })).rejects.toThrow("418");

    const streamed = await server.fetch(post("/v1/responses", { model: "test", input: "?", stream: true }));
    const { headers } = streamed;
    const [first] = (await framesOf(streamed)) as Json[];
    const stream = (event: Json) =>
      checkDescribed(request, new Response("", { headers }), `data: ${JSON.stringify(event)}\n\n`);
    await stream(first);
    await expect(stream({ ...first, type: "response.unheard_of" })).rejects.toThrow("not as described");
    await expect(stream({ ...first, sequence_number: "1" })).rejects.toThrow("sequence_number");
  });
});
