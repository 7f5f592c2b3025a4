// Every body and event against the schemas of Open Responses. They are published as one OpenAPI document, which is not
// ours to pass on: give its path in OPEN_RESPONSES_OPENAPI, or this is skipped.
//
//   OPEN_RESPONSES_OPENAPI=openapi.json npx vitest run test/clients/open-responses.test.ts

import { existsSync, readFileSync } from "node:fs";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { modelId as model, useServer } from "./server.ts";
import {
  instructions,
  weatherDescription,
  weatherName,
  weatherParameters,
  weatherQuestion,
} from "./weather.ts";

const path = process.env.OPEN_RESPONSES_OPENAPI ?? "";
const isThere = existsSync(path);
if (!isThere) console.warn("Open Responses: skipped, OPEN_RESPONSES_OPENAPI names no file");

interface Document {
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}
interface Schema {
  readonly properties?: {
    readonly type?: { readonly enum?: readonly string[]; readonly const?: string };
    schema?: unknown;
  };
}
type Json = { readonly [key: string]: unknown };

describe.skipIf(!isThere)("Open Responses", () => {
  const server = useServer();
  const document: Document = isThere
    ? JSON.parse(readFileSync(path, "utf8"))
    : { components: { schemas: {} } };
  // It types the schema in a format as null, which no schema is.
  const formats = document.components.schemas.JsonSchemaResponseFormat?.properties;
  if (formats) delete formats.schema;
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false });
  ajv.addSchema(document, "doc");
  const validators = new Map<string, ValidateFunction>();

  function check(schema: string, value: unknown): void {
    const validate = validators.get(schema) ?? ajv.compile({ $ref: `doc#/components/schemas/${schema}` });
    validators.set(schema, validate);
    validate(value);
    expect(
      (validate.errors ?? []).map(({ instancePath, message }) => `${schema}${instancePath} ${message}`),
    ).toEqual([]);
  }

  const eventSchemas = new Map(
    Object.entries(document.components.schemas).flatMap(([name, { properties }]): [string, string][] => {
      if (!name.endsWith("StreamingEvent")) return [];
      const type = properties?.type?.const ?? properties?.type?.enum?.[0];
      return type === undefined ? [] : [[type, name]];
    }),
  );

  const headers = { "content-type": "application/json", "OpenResponses-Version": "2026-04-24" };
  const post = (where: string, body: Json): Promise<Response> =>
    fetch(`${server.baseURL}${where}`, { method: "POST", headers, body: JSON.stringify({ model, ...body }) });

  async function create(body: Json): Promise<Json & { readonly id: string }> {
    const response = await post("/responses", body);
    expect(response.status).toBe(200);
    const json = (await response.json()) as Json & { readonly id: string };
    check("ResponseResource", json);
    return json;
  }

  /** Frames as they are on the wire: `event:` and `data:`, and `[DONE]` in the end. */
  async function stream(response: Response): Promise<Json[]> {
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const frames = (await response.text()).trimEnd().split("\n\n");
    expect(frames.pop()).toBe("data: [DONE]");
    return frames.map((frame) => {
      const [, type, data] = /^event: (.+)\ndata: (.+)$/.exec(frame) ?? [];
      const event = JSON.parse(data);
      expect(event.type).toBe(type);
      const schema = eventSchemas.get(type);
      expect(schema, `an event that Open Responses does not know: ${type}`).toBeDefined();
      check(schema!, event);
      return event;
    });
  }

  const tools = [
    {
      type: "function",
      name: weatherName,
      description: weatherDescription,
      parameters: weatherParameters,
      strict: true,
    },
  ];
  const city = {
    type: "object",
    properties: { city: { type: "string", enum: ["Paris", "London"] } },
    required: ["city"],
    additionalProperties: false,
  };

  const cases: Readonly<Record<string, Json>> = {
    "a plain answer": { input: "What is 47 + 85?" },
    "an answer at low effort": {
      input: "What is 3 + 4?",
      reasoning: { effort: "low" },
      metadata: { a: "b" },
    },
    "a function call": { input: weatherQuestion, instructions, tools },
    "a function call that is demanded": { input: weatherQuestion, tools, tool_choice: "required" },
    "a named function": {
      input: weatherQuestion,
      tools,
      tool_choice: { type: "function", name: weatherName },
    },
    "an answer for a schema": {
      input: "What is the capital of France?",
      text: { format: { type: "json_schema", name: "city", schema: city, strict: true } },
    },
    "an answer that was cut off": { input: "What is 47 + 85?", max_output_tokens: 16 },
    "log-probabilities": {
      input: "Who are you?",
      include: ["message.output_text.logprobs"],
      top_logprobs: 2,
    },
    "thoughts that are sealed": {
      input: "What is 3 + 4?",
      store: false,
      include: ["reasoning.encrypted_content"],
    },
    "thoughts with a summary": { input: "What is 3 + 4?", reasoning: { summary: "auto" } },
    "several messages, parts and roles": {
      input: [
        { type: "message", role: "system", content: instructions },
        { type: "message", role: "developer", content: [{ type: "input_text", text: "Be kind." }] },
        { type: "message", role: "user", content: [{ type: "input_text", text: "What is 3 + 4?" }] },
        { type: "message", role: "assistant", content: [{ type: "output_text", text: "3 + 4 = 7." }] },
        { role: "user", content: "Who are you?" },
      ],
    },
  };

  describe.each(Object.entries(cases))("%s", (_name, body) => {
    test("as a body", async () => {
      await create(body);
    });

    test("as a stream", async () => {
      const events = await stream(await post("/responses", { ...body, stream: true }));
      expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
    });
  });

  test("a conversation with a function's result", async () => {
    const first = await create({ input: weatherQuestion, instructions, tools });
    const call = (first.output as Json[]).find(({ type }) => type === "function_call");
    const output = JSON.stringify({ sky: "sunny", temperature: 21 });
    const result = { type: "function_call_output", call_id: call?.call_id, output };
    const asked = { previous_response_id: first.id, instructions, tools, input: [result] };
    await create(asked);
    await stream(await post("/responses", { ...asked, stream: true }));
  });

  test("in the background: queued, retrieved, replayed, cancelled", async () => {
    const { id } = await create({ input: "What is 47 + 85?", background: true });
    const retrieve = (query = "") => fetch(`${server.baseURL}/responses/${id}${query}`, { headers });
    await stream(await retrieve("?stream=true"));
    check("ResponseResource", await (await retrieve()).json());
    const second = await create({ input: "What is 47 + 85?", background: true });
    check("ResponseResource", await (await post(`/responses/${second.id}/cancel`, {})).json());
  });

  test("a compaction, and its output as input", async () => {
    const input = [
      { type: "message", role: "user", content: "What is 3 + 4?" },
      { type: "message", role: "assistant", content: "3 + 4 = 7." },
    ];
    const response = await post("/responses/compact", { input });
    const compacted = (await response.json()) as { readonly output: readonly Json[] };
    check("CompactResource", compacted);
    await create({
      input: [...compacted.output, { type: "message", role: "user", content: "Who are you?" }],
    });
  });

  test("the check fails where a key is missing", async () => {
    const { usage: _, ...rest } = await create({ input: "What is 3 + 4?" });
    expect(() => check("ResponseResource", rest)).toThrow();
  });

  test("errors", async () => {
    const response = await post("/responses", { input: "?", temperature: 99 });
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as Json;
    check("Error", error);
  });
});
