// Clients that show summaries only, such as the AI SDK's own provider for OpenAI, would show nothing of what the model
// thinks.

import { describe, expect, test } from "vitest";
import { final, get, scriptedServer, thinking } from "../testing/scripted-server.ts";
import { readStrictly } from "./testing/strict-client.ts";
import { create, eventsOf, path, stream } from "./testing/talk.ts";
import type { ReasoningItem, ResponseObject, StreamEvent } from "./wire.ts";

const script = thinking("Two and two, that is four.") + final("4");
const asked = { input: "2+2?", reasoning: { summary: "auto" } } as const;

const reasoningOf = ({ output }: ResponseObject): ReasoningItem => output[0] as ReasoningItem;
const summaryOf = (response: ResponseObject): string[] =>
  reasoningOf(response).summary.map(({ text }) => text);
const summaryTypes = (events: readonly StreamEvent[]): string[] =>
  events.map(({ type }) => type).filter((type) => type.startsWith("response.reasoning_summary"));

describe("a summary", () => {
  test.each(["auto", "concise", "detailed"])(
    "asked for as %s is the thoughts, word for word",
    async (summary) => {
      const server = scriptedServer([script]);
      const response = await create(server, { input: "2+2?", reasoning: { summary } });
      expect(summaryOf(response)).toEqual(["Two and two, that is four."]);
      expect(reasoningOf(response).content).toMatchObject([{ text: "Two and two, that is four." }]);
      expect(response.reasoning.summary).toBe(summary);
    },
  );

  test("is streamed as the thoughts come, and replayed", async () => {
    const server = scriptedServer([script]);
    const events = await stream(server, asked);
    const response = readStrictly(events);
    expect(summaryOf(response)).toEqual(["Two and two, that is four."]);
    const types = summaryTypes(events);
    expect(types[0]).toBe("response.reasoning_summary_part.added");
    expect(types.filter((type) => type.endsWith("text.delta")).length).toBeGreaterThan(3);
    expect(types.slice(-2)).toEqual([
      "response.reasoning_summary_text.done",
      "response.reasoning_summary_part.done",
    ]);
    const again = await eventsOf(await server.fetch(get(`${path}/${response.id}?stream=true`)));
    expect(readStrictly(again)).toEqual(response);
    expect(new Set(summaryTypes(again))).toEqual(new Set(types));
  });

  test("of thoughts that are cut off is what there is", async () => {
    const events = await stream(scriptedServer([script]), { ...asked, max_output_tokens: 6 });
    const response = readStrictly(events);
    expect(reasoningOf(response).status).toBe("incomplete");
    expect(summaryOf(response)).toEqual(reasoningOf(response).content.map(({ text }) => text));
  });

  test("shows thoughts also where their own events are left out", async () => {
    const server = scriptedServer([script], { responses: { reasoningEvents: "none" } });
    const types = (await stream(server, asked)).map(({ type }) => type);
    expect(types).toContain("response.reasoning_summary_text.delta");
    expect(types).not.toContain("response.reasoning_text.delta");
  });

  test("comes only where it is asked for, unless the operator wants it always or never", async () => {
    const summaries = async (reasoningSummary: "asked" | "always" | "none", body: object) =>
      summaryOf(await create(scriptedServer([script], { responses: { reasoningSummary } }), body)).length;
    const plain = { input: "2+2?" };
    expect(await summaries("asked", plain)).toBe(0);
    expect(await summaries("always", plain)).toBe(1);
    expect(await summaries("none", asked)).toBe(0);
    expect(summaryTypes(await stream(scriptedServer([script]), plain))).toEqual([]);
  });

  test("that a client sends back does not go into the prompt twice", async () => {
    const server = scriptedServer([script, final("8")]);
    const { output } = await create(server, asked);
    await create(server, { input: [...output.slice(0, 1), { role: "user", content: "Twice that?" }] });
    expect(server.prompts()[1].split("Two and two").length).toBe(2);
  });
});
