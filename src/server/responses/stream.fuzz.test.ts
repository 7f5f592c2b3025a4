// Whatever a model samples, a strict client can read: random tokens, and well-formed turns that were cut and mutated.

import fc from "fast-check";
import { expect, test } from "vitest";
import { o200kHarmony } from "../../tokenizer/index.ts";
import {
  calling,
  final,
  get,
  preamble,
  scriptedServer,
  thinking,
  tokens,
} from "../testing/scripted-server.ts";
import { readStrictly } from "./testing/strict-client.ts";
import { create, eventsOf, path, stream, withPlainIds } from "./testing/talk.ts";

const tokenizer = o200kHarmony();

const words = [
  "Hm.",
  " ",
  "é",
  "\n",
  '{"location":"Oslo"}',
  '{"',
  "",
  "🌦",
  "analysis",
  "to=functions.get_weather",
  "final",
];
const word = fc.constantFrom(...words);

/** Pieces of turns as models write them, and as they should not. */
const piece = fc.oneof(
  word.map(thinking),
  word.map(preamble),
  word.map(final),
  word.map((args) => calling("get_weather", args)),
  word.map((args) => calling("unknown_function", args)),
  word.map((text) => `<|channel|>commentary to=functions.get_weather<|message|>${text}<|end|>`),
  word.map(
    (text) => `<|channel|>analysis to=functions.get_weather code<|message|>${text}<|end|><|start|>assistant`,
  ),
  word.map((text) => `<|start|>user<|message|>${text}<|end|>`),
  word.map((text) => `${text}<|end|>`),
  fc.constantFrom(
    "<|start|>",
    "<|channel|>",
    "<|message|>",
    "<|constrain|>",
    "<|call|>",
    "<|return|>",
    "<|end|>",
    "<|endoftext|>",
  ),
  word,
);

const sampled: fc.Arbitrary<readonly number[]> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: piece.map(tokens) },
      fc.array(fc.nat({ max: 201_087 }), { maxLength: 4 }),
    ),
    {
      maxLength: 8,
    },
  )
  .map((pieces) => pieces.flat());

const request = fc.record({
  input: fc.constant("2+2?"),
  tools: fc.constantFrom([], [{ type: "function", name: "get_weather" }]),
  max_output_tokens: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined }),
  include: fc.subarray(["reasoning.encrypted_content", "message.output_text.logprobs"]),
  top_logprobs: fc.integer({ min: 0, max: 2 }),
  reasoning: fc.constantFrom({}, { summary: "auto" }),
});

const runs = { numRuns: 120, seed: 20261120, interruptAfterTimeLimit: 12_000 };

test("whatever is sampled, the stream can be read strictly, and not streaming gives the same", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(sampled, { minLength: 1, maxLength: 3 }), request, async (turns, body) => {
      // A model that never answers: the agent asks again until it has asked often enough.
      const scripts = [...turns, ...Array(40).fill(tokens(final("At last.")))];
      const server = scriptedServer(scripts, { now: () => 1_750_000_000_000 });
      const response = readStrictly(await stream(server, body));
      expect(["completed", "incomplete"]).toContain(response.status);
      expect(response.usage!.output_tokens).toBeLessThanOrEqual(
        body.max_output_tokens ?? Number.POSITIVE_INFINITY,
      );
      for (const item of response.output) {
        if (item.type === "function_call") expect(item.name).toBe("get_weather");
      }

      const again = scriptedServer(scripts, { now: () => 1_750_000_000_000 });
      const whole = await create(again, body);
      const plain = (value: object): unknown => JSON.parse(withoutSeals(withPlainIds(JSON.stringify(value))));
      expect(plain(whole)).toEqual(plain(response));

      const replayed = await eventsOf(await server.fetch(get(`${path}/${response.id}?stream=true`)));
      expect(plain(readReplay(replayed))).toEqual(plain(response));

      // And it can be said again: what was sampled is a valid input.
      const results = response.output.flatMap((item) =>
        item.type === "function_call" && item.status === "completed"
          ? [{ type: "function_call_output", call_id: item.call_id, output: "sunny" }]
          : [],
      );
      const next = await create(server, {
        input: [
          { role: "user", content: "?" },
          ...response.output,
          ...results,
          { role: "user", content: "And?" },
        ],
      });
      expect(["completed", "incomplete"]).toContain(next.status);
    }),
    runs,
  );
}, 60_000);

/** Each seal begins with a random number. */
const withoutSeals = (text: string): string => text.replace(/gptoss1\.[^"]+/g, "sealed");

/** Empty texts have no delta when they are streamed, and one when they are made again. */
function readReplay(events: Parameters<typeof readStrictly>[0]): object {
  return (events.at(-1) as unknown as { response: object }).response;
}

test("tokens of the whole vocabulary, one by one, never end a stream early", async () => {
  const each = Array.from({ length: 60 }, (_, index) => (index * 3_389) % tokenizer.vocabularySize);
  const server = scriptedServer([[...tokens("<|channel|>final<|message|>"), ...each], tokens(final("."))]);
  readStrictly(await stream(server, { input: "?" }));
});
