// Requests as clients send them, and ways to spoil them.

import fc from "fast-check";
import { hostile } from "./from-schema.ts";

export interface RealRequest {
  readonly path: string;
  readonly body: object;
}

const weather = {
  type: "object",
  properties: { city: { type: "string" }, unit: { type: "string", enum: ["c", "f"] } },
  required: ["city"],
  additionalProperties: false,
};
const call = { type: "function_call", call_id: "call_1", name: "get_weather", arguments: '{"city":"Oslo"}' };
const result = { type: "function_call_output", call_id: "call_1", output: "rain" };
const flat = {
  type: "function",
  name: "get_weather",
  description: "Weather",
  parameters: weather,
  strict: true,
};
const nested = { type: "function", function: { name: "get_weather", parameters: weather } };
const jsonSchema = { name: "answer", schema: weather, strict: true };

const responses = (body: object): RealRequest => ({ path: "/v1/responses", body });
const chat = (body: object): RealRequest => ({ path: "/v1/chat/completions", body });
const user = { role: "user", content: "What is 47 + 85?" };

export const realRequests: readonly RealRequest[] = [
  responses({ input: "What is 47 + 85?" }),
  responses({ input: [user], instructions: "Be brief.", reasoning: { effort: "low", summary: "auto" } }),
  responses({ input: [user, call, result], tools: [flat], tool_choice: "auto", parallel_tool_calls: true }),
  responses({
    input: "Weather in Oslo?",
    tools: [flat],
    tool_choice: { type: "function", name: "get_weather" },
  }),
  responses({ input: "Weather?", tools: [flat], tool_choice: "required", stream: true, max_tool_calls: 2 }),
  responses({ input: "JSON", text: { format: { type: "json_schema", ...jsonSchema }, verbosity: "low" } }),
  responses({ input: "JSON", text: { format: { type: "json_object" } }, stream: true }),
  responses({ input: "Hi", background: true, store: true, metadata: { a: "b" } }),
  responses({
    input: "Hi",
    stream: true,
    include: ["reasoning.encrypted_content", "message.output_text.logprobs"],
  }),
  responses({
    input: "Hi",
    temperature: 0.7,
    top_p: 0.9,
    top_logprobs: 3,
    presence_penalty: 1,
    truncation: "auto",
  }),
  responses({
    input: [
      { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "Hm." }] },
      {
        type: "message",
        role: "assistant",
        content: [{ type: "output_text", text: "132", annotations: [] }],
      },
      { type: "message", role: "user", content: [{ type: "input_text", text: "And + 1?" }] },
      { type: "item_reference", id: "rs_2" },
    ],
  }),
  responses({
    input: [{ role: "user", content: [{ type: "input_image", image_url: "data:image/png;base64,AA==" }] }],
  }),
  responses({
    input: "Hi",
    previous_response_id: "resp_none",
    tools: [{ type: "web_search" }, { type: "local_shell" }],
  }),
  { path: "/v1/responses/input_tokens", body: { input: [user] } },
  { path: "/v1/responses/compact", body: { input: [user, { role: "assistant", content: "132" }] } },
  chat({ messages: [user] }),
  chat({
    messages: [{ role: "system", content: "Be brief." }, user],
    stream: true,
    stream_options: { include_usage: true },
  }),
  chat({
    messages: [user],
    n: 2,
    seed: 7,
    stop: ["\n", "13"],
    logit_bias: { "5": -100 },
    logprobs: true,
    top_logprobs: 2,
  }),
  chat({
    messages: [user],
    tools: [nested],
    tool_choice: { type: "function", function: { name: "get_weather" } },
  }),
  chat({
    messages: [user],
    response_format: { type: "json_schema", json_schema: jsonSchema },
    reasoning_effort: "none",
  }),
  chat({
    messages: [
      user,
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", ...nested, function: { name: "get_weather", arguments: "{}" } }],
      },
      { role: "tool", tool_call_id: "call_1", content: [{ type: "text", text: "rain" }] },
    ],
    tools: [nested],
    reasoning: { effort: "high", exclude: true },
  }),
  chat({
    messages: [user, { role: "assistant", content: "The sum is" }],
    frequency_penalty: -2,
    max_completion_tokens: 3,
  }),
  chat({ messages: [user], functions: [nested.function], function_call: "auto" }),
  { path: "/v1/completions", body: { prompt: "Hi", max_tokens: 3 } },
];

/** At most two changes, each at any place: another value, no value, a copy, one more. */
export function mutated(body: object): fc.Arbitrary<unknown> {
  const change = fc.record({ at: fc.nat(), how: fc.nat(4), value: hostile });
  return fc.array(change, { maxLength: 2 }).map((changes) => {
    let result: unknown = structuredClone(body);
    for (const { at, how, value } of changes) {
      const places = placesOf(result);
      if (places.length === 0) result = value;
      else apply(places[at % places.length], how, value);
    }
    return result;
  });
}

interface Place {
  readonly parent: Record<string | number, unknown>;
  readonly key: string;
}

function placesOf(value: unknown): Place[] {
  if (typeof value !== "object" || value === null) return [];
  const parent = value as Record<string, unknown>;
  return Object.keys(parent).flatMap((key) => [{ parent, key }, ...placesOf(parent[key])]);
}

function apply({ parent, key }: Place, how: number, value: unknown): void {
  if (how === 0) delete parent[key];
  else if (how === 1) parent[key] = [parent[key], parent[key]];
  else if (how === 2 && Array.isArray(parent)) parent.push(value);
  else if (how === 3) parent[`${key}_`] = value;
  else parent[key] = value;
}
