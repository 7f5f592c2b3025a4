import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type AgentEvent, type AgentRequest, fold, runAgent } from "./index.ts";
import { createStopFilter } from "./stop.ts";
import { type ScriptedModel, scriptedModel, tokensOf } from "./testing/scripted-model.ts";

const question: AgentRequest = { messages: [{ role: "user", content: "Count." }] };
const thinking = "<|channel|>analysis<|message|>Count to three, END of thought.<|end|><|start|>assistant";
const final = (text: string): string => `<|channel|>final<|message|>${text}<|return|>`;

async function collect(model: ScriptedModel, request: Partial<AgentRequest>): Promise<AgentEvent[]> {
  const events: AgentEvent[] = [];
  for await (const event of runAgent(model, { ...question, ...request })) events.push(event);
  return events;
}

const textOf = (events: readonly AgentEvent[]): string =>
  events.flatMap((event) => (event.type === "text-delta" ? [event.text] : [])).join("");

describe("stop strings", () => {
  test("end the answer where they begin, and are not shown", async () => {
    const model = scriptedModel(thinking + final("one two END three"));
    const events = await collect(model, { stop: ["END"] });
    expect(textOf(events)).toBe("one two ");
    expect(events.find(({ type }) => type === "text-end")).toMatchObject({
      message: { role: "assistant", channel: "final", content: "one two " },
      isComplete: true,
    });
    expect(events.at(-1)).toMatchObject({ type: "run-end", finishReason: "stop" });
    expect(model.requests).toHaveLength(1); // no second turn because the answer was cut
  });

  test("free the engine at once: what follows is not sampled", async () => {
    const model = scriptedModel(final("one END two three four five six seven"));
    const folded = await fold(runAgent(model, { ...question, stop: ["END"] }));
    const until = tokensOf("<|channel|>final<|message|>one END", model.tokenizer).length;
    expect(folded.usage.outputTokens).toBeLessThanOrEqual(until + 1);
  });

  test("are not looked for in reasoning or in arguments", async () => {
    const call = '<|channel|>commentary to=functions.end <|constrain|>json<|message|>{"word":"END"}<|call|>';
    const folded = await fold(
      runAgent(scriptedModel(thinking + call), { ...question, stop: ["END"], tools: { end: {} } }),
    );
    expect(folded).toMatchObject({ finishReason: "tool-calls", reasoning: expect.stringContaining("END") });
    expect(folded.pendingCalls[0].arguments).toBe('{"word":"END"}');
  });

  test("end a run in what is said before calls, too", async () => {
    const preamble = "<|channel|>commentary<|message|>Plan: END look.<|end|><|start|>assistant";
    const events = await collect(scriptedModel(preamble + final("late")), { stop: ["END"] });
    expect(events.find(({ type }) => type === "preamble-end")).toMatchObject({
      message: { content: "Plan: " },
    });
    expect(textOf(events)).toBe("");
  });

  test("that are empty are refused", async () => {
    await expect(collect(scriptedModel(final("a")), { stop: [""] })).rejects.toThrow("stop string is empty");
  });

  test("cut a text at the first match, however it is split, and hold back only what may still match", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "🧮"), maxLength: 12 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "🧮"), minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(
        fc.array(
          letters.filter((text) => text !== ""),
          { maxLength: 8 },
        ),
        stops,
        (pieces, stop) => {
          const filter = createStopFilter(stop);
          const whole = pieces.join("");
          const places = stop.map((one) => whole.indexOf(one)).filter((place) => place >= 0);
          let heard = "";
          const events = filter.add([{ type: "text-start" }]);
          for (const text of pieces) {
            heard += text;
            events.push(...filter.add([{ type: "text-delta", text }]));
            if (filter.isMatched) break;
            const waiting = heard.slice(textOf(events).length);
            if (waiting !== "") expect(stop.some((one) => one.startsWith(waiting))).toBe(true);
          }
          const message = { role: "assistant", channel: "final", content: whole } as const;
          events.push(...filter.add([{ type: "text-end", message, isComplete: true }]));
          expect(textOf(events)).toBe(places.length === 0 ? whole : whole.slice(0, Math.min(...places)));
          expect(events.at(-1)).toMatchObject({ type: "text-end", message: { content: textOf(events) } });
        },
      ),
      { seed: 4, numRuns: 500 },
    );
  });
});

describe("an answer that was begun", () => {
  test("is continued without reasoning, and only the continuation is said", async () => {
    const model = scriptedModel(" 132.<|return|>");
    const events = await collect(model, { answerStart: "The sum is" });
    expect(model.prompts[0].endsWith("<|start|>assistant<|channel|>final<|message|>The sum is")).toBe(true);
    expect(textOf(events)).toBe(" 132.");
    expect(events.find(({ type }) => type === "text-end")).toMatchObject({
      message: { content: "The sum is 132." },
    });
  });
});
