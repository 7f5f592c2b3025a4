// Formats and tool choices with a model that really samples: what it says without them shows what they change.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import * as z from "zod";
import { type ToolChoice, tool } from "../../agent/index.ts";
import type { RespondOptions } from "../gpt-oss.ts";
import { type LoadedGptOss, load } from "./index.ts";

let model: LoadedGptOss;
beforeAll(async () => {
  model = await load();
});
afterAll(() => model.close());

const sum = "What is 47 + 85?";
const weather = "What is the weather in Paris?";
const get_weather = tool({
  description: "Gets the current weather in the provided location.",
  parameters: z.object({
    location: z.string().max(40).describe("The city and state, e.g. San Francisco, CA"),
  }),
});
const tools = { get_weather };

describe("response formats", () => {
  const schema = {
    type: "object",
    properties: { sum: { type: "integer", minimum: 0, maximum: 999 }, isEven: { type: "boolean" } },
    required: ["sum", "isEven"],
    additionalProperties: false,
  };

  for (const effort of ["none", "medium"] as const) {
    for (const temperature of [0, 1]) {
      test(`JSON for a schema, at ${effort} effort and temperature ${temperature}`, async () => {
        const responseFormat = { type: "json-schema", name: "sum", schema } as const;
        const answer = await model.respond(sum, { responseFormat, effort, temperature, seed: 3 });
        expect(answer.finishReason).toBe("stop");
        const value = JSON.parse(answer.text);
        expect(Object.keys(value)).toEqual(["sum", "isEven"]);
        expect(Number.isInteger(value.sum) && value.sum >= 0 && value.sum <= 999).toBe(true);
        expect(typeof value.isEven).toBe("boolean");
        expect(answer.reasoning === "").toBe(effort === "none");
      });
    }
  }

  test("a choice, which the reasoning before it decides", async () => {
    const responseFormat = { type: "choice", choices: ["131", "132", "133"] } as const;
    expect(await model.respond(sum, { responseFormat })).toMatchObject({ text: "132", finishReason: "stop" });
  });

  test("a regular expression", async () => {
    const responseFormat = { type: "regex", pattern: "= \\d{3}\\." } as const;
    expect((await model.respond(sum, { responseFormat })).text).toMatch(/^= \d{3}\.$/);
  });

  test("a JSON object", async () => {
    const answer = await model.respond(sum, { responseFormat: { type: "json" } });
    expect(typeof JSON.parse(answer.text)).toBe("object");
  });

  test("the thoughts are those without a format", async () => {
    const responseFormat = { type: "choice", choices: ["132", "133"] } as const;
    expect((await model.respond(sum, { responseFormat })).reasoning).toBe(
      (await model.respond(sum)).reasoning,
    );
  });

  test("what cannot be enforced is an error before the first event", async () => {
    const responseFormat = { type: "json-schema", name: "no", schema: { not: { type: "null" } } } as const;
    const events = model.stream(sum, { responseFormat })[Symbol.asyncIterator]();
    await expect(events.next()).rejects.toMatchObject({ code: "engine/bad-grammar" });
  });
});

describe("tool choice", () => {
  const ask = (question: string, toolChoice: ToolChoice, more: RespondOptions = {}) =>
    model.respond(question, { tools, toolChoice, ...more });

  test("auto: it calls where it needs to, as it does unasked", async () => {
    const asked = await ask(weather, "auto");
    const unasked = await model.respond(weather, { tools });
    expect(asked.tokens).toEqual(unasked.tokens);
    expect(asked.pendingCalls).toMatchObject([{ name: "get_weather", arguments: '{"location":"Paris"}' }]);
  });

  test("none: it answers without the function that it would have called", async () => {
    const answer = await ask(weather, "none");
    expect(answer).toMatchObject({ finishReason: "stop", toolCalls: [] });
    expect(answer.text).not.toBe("");
  });

  const demanding: readonly ToolChoice[] = [
    "required",
    { function: "get_weather" },
    { allowed: ["get_weather"], mode: "required" },
  ];
  for (const choice of demanding) {
    for (const effort of ["none", "medium"] as const) {
      test(`${JSON.stringify(choice)} at ${effort} effort: it calls where it would have answered`, async () => {
        const strict = { get_weather: { ...get_weather, strict: true } };
        const answer = await model.respond(sum, { tools: strict, toolChoice: choice, effort });
        expect(answer).toMatchObject({ finishReason: "tool-calls", text: "" });
        const [call] = answer.pendingCalls;
        expect(call.name).toBe("get_weather");
        expect(typeof JSON.parse(call.arguments).location).toBe("string");
        expect(call.message.content).toBe(call.arguments);
        expect(answer.reasoning === "").toBe(effort === "none");
      });
    }
  }

  test("a demand is fulfilled by the first call: the result is then answered", async () => {
    const asked: string[] = [];
    const execute = ({ location }: { location: string }) => {
      asked.push(location);
      return { sky: "sunny", temperature: 21 };
    };
    const working = tool({
      description: get_weather.description!,
      parameters: z.object({ location: z.string() }),
      strict: true,
      execute,
    });
    const toolChoice = { function: "get_weather" };
    const answer = await model.respond(weather, {
      instructions: "Answer briefly.",
      tools: { get_weather: working },
      toolChoice,
    });
    expect(asked).toEqual(["Paris"]);
    expect(answer).toMatchObject({ finishReason: "stop", text: "It is sunny in Paris with 21 degrees." });
  });

  test("what is not offered is an error before the first event", async () => {
    await expect(ask(sum, { function: "get_news" })).rejects.toMatchObject({ code: "agent/bad-tool" });
    await expect(model.respond(sum, { toolChoice: "required" })).rejects.toMatchObject({
      code: "agent/bad-tool",
    });
  });
});
