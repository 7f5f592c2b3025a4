// Properties of a run, whatever tokens the model samples.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { random } from "../base/index.ts";
import { renderConversation } from "../harmony/index.ts";
import { type AgentEvent, type AgentRequest, fold, runAgent, tool } from "./index.ts";
import { scriptedModel } from "./testing/scripted-model.ts";

const question: AgentRequest = { messages: [{ role: "user", content: "What is the weather in Paris?" }] };

const getWeather = tool({
  description: "Gets the current weather in the provided location.",
  parameters: z.object({ location: z.string() }),
  execute: ({ location }) => ({ sky: "sunny", location }),
});

describe("whatever is sampled", () => {
  test("is some list of events, well-formed and equal to its fold", async () => {
    const { tokenizer } = scriptedModel();
    const rng = random(20);
    const { special } = tokenizer;
    const controls = [
      special.start,
      special.channel,
      special.message,
      special.end,
      special.constrain,
      special.call,
      special.return,
    ];
    const words = [
      "assistant",
      "analysis",
      "final",
      "commentary",
      " to=functions.get_weather",
      "user",
      "{}",
      "é🧮",
    ];
    const pick = (): number[] => {
      if (rng.float() < 0.5) return [controls[Math.floor(rng.float() * controls.length)]];
      if (rng.float() < 0.8) return tokenizer.encode(words[Math.floor(rng.float() * words.length)]);
      return [Math.floor(rng.float() * 201_100)];
    };
    for (let round = 0; round < 500; round++) {
      const turns = [1, 2, 3].map(() => Array.from({ length: 25 }, pick).flat());
      const request = { ...question, tools: { get_weather: getWeather }, maxTurns: 3 };
      const events: AgentEvent[] = [];
      for await (const event of runAgent(scriptedModel(...turns), request)) events.push(event);
      expectWellFormed(events);
      const folded = await fold(toAsync(events));
      // What comes back can be sent again.
      renderConversation([...question.messages, ...folded.messages], tokenizer);
    }
  });
});

async function* toAsync(events: readonly AgentEvent[]): AsyncGenerator<AgentEvent> {
  yield* events;
}

/** Start, deltas, end; deltas concatenate to the text; nothing overlaps; every call has a result. */
function expectWellFormed(events: readonly AgentEvent[]): void {
  let open: string | undefined;
  let text = "";
  const calls = new Set<string>();
  for (const event of events) {
    if (event.type === "note" || event.type.startsWith("turn") || event.type.startsWith("run")) continue;
    if (event.type === "tool-result") {
      expect(calls.delete(event.id)).toBe(true);
      continue;
    }
    const [, kind, step] = /^(.*)-(start|delta|end)$/.exec(event.type) ?? [];
    expect(open).toBe(step === "start" ? undefined : kind);
    if (step === "start") {
      open = kind;
      text = "";
    }
    if ("text" in event) text += event.text;
    if (step !== "end") continue;
    open = undefined;
    if ("message" in event) expect(event.message.content).toBe(text);
    if (event.type === "tool-call-end") {
      expect(event.call.arguments).toBe(text);
      if (event.isComplete) calls.add(event.call.id);
    }
  }
  expect(open).toBeUndefined();
  expect(calls.size).toBe(0);
  expect(events.at(-1)?.type).toBe("run-end");
}
