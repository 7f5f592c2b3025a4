// Bodies that nobody would send: whatever they are, they are answered, and never with a fault of the server's.

import fc from "fast-check";
import { expect, test } from "vitest";
import { final, post, scriptedServer } from "../testing/scripted-server.ts";

const whole = {
  model: "test",
  messages: [
    { role: "system", content: "Be brief." },
    { role: "user", content: [{ type: "text", text: "Weather?" }] },
    {
      role: "assistant",
      content: "I look.",
      reasoning: "Need it.",
      tool_calls: [{ id: "call_1", type: "function", function: { name: "get_weather", arguments: "{}" } }],
    },
    { role: "tool", tool_call_id: "call_1", content: "sunny" },
    { role: "user", content: "And in Rome?" },
  ],
  tools: [
    {
      type: "function",
      function: {
        name: "get_weather",
        parameters: { type: "object", properties: { a: { type: "string" } } },
      },
    },
  ],
  tool_choice: {
    type: "allowed_tools",
    allowed_tools: { mode: "auto", tools: [{ type: "function", function: { name: "get_weather" } }] },
  },
  response_format: { type: "json_schema", json_schema: { name: "x", schema: { type: "object" } } },
  temperature: 1,
  top_p: 1,
  n: 1,
  seed: 1,
  stop: ["a"],
  logit_bias: { "5": 1 },
  logprobs: true,
  top_logprobs: 2,
  max_completion_tokens: 20,
  reasoning_effort: "low",
  reasoning: { effort: "low", exclude: false },
  stream_options: { include_usage: true },
};

const plain = {
  model: "test",
  prompt: ["one", "two"],
  n: 1,
  stop: "x",
  logprobs: 1,
  seed: 3,
  max_tokens: 5,
  top_k: 3,
};

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const odd = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
  fc.constantFrom<Json>(
    null,
    "",
    -1,
    0,
    1e308,
    2 ** 53,
    1.5,
    "\u0000",
    "\ud800",
    "<|end|>",
    [],
    {},
    "x".repeat(70),
    { $ref: "#" },
    { type: "string", pattern: "(" },
    "__proto__",
    [[]],
  ),
);

/** Where in a value something is changed: at each level, the key modulo the number of keys. */
interface Change {
  readonly path: readonly number[];
  readonly to: Json;
  readonly how: "replace" | "delete" | "add" | "repeat";
}

const change: fc.Arbitrary<Change> = fc.record({
  path: fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }),
  to: odd,
  how: fc.constantFrom("replace", "delete", "add", "repeat"),
});

function changed(value: Json, { path: [step, ...rest], to, how }: Change): Json {
  if (typeof value !== "object" || value === null || step === undefined) return to;
  const keys = Object.keys(value);
  if (keys.length === 0) return to;
  const key = keys[step % keys.length];
  const inner = (value as Record<string, Json>)[key];
  const copy: Json = Array.isArray(value) ? [...value] : { ...value };
  const entries = copy as Record<string, Json>;
  if (rest.length > 0) entries[key] = changed(inner, { path: rest, to, how });
  else if (how === "delete" && Array.isArray(copy)) copy.splice(Number(key), 1);
  else if (how === "delete") delete entries[key];
  else if (how === "add" && !Array.isArray(copy)) entries.__extra = to;
  else if (how === "repeat" && Array.isArray(copy)) copy.push(inner);
  else entries[key] = to;
  return copy;
}

test.each([
  ["/v1/chat/completions", whole],
  ["/v1/completions", plain],
])("%s answers any body, and none with a fault of its own", async (path, body) => {
  const faults: unknown[] = [];
  const scripts = Array.from({ length: 5000 }, () => final('{"a":1}'));
  const { server } = scriptedServer(scripts, {
    log: (entry) => entry.level === "error" && faults.push(entry.error),
  });
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 0, maxLength: 3 }),
      fc.boolean(),
      async (changes, stream) => {
        const sent = changes.reduce<Json>((value, one) => changed(value, one), { ...body, stream });
        const response = await server.fetch(post(path, sent));
        const text = await response.text();
        seen.add(response.status);
        expect(response.status, `${JSON.stringify(sent)}\n${text}\n${faults.join("\n")}`).toBeLessThan(500);
        if (response.status !== 200) {
          const { error } = JSON.parse(text) as { error: Record<string, unknown> };
          expect(error).toMatchObject({ message: expect.any(String), code: expect.any(String) });
        } else expect(text, text).not.toContain('"server_error"');
      },
    ),
    { seed: 4, numRuns: 300 },
  );
  expect([...seen].sort()).toEqual([200, 400, 404]);
});
