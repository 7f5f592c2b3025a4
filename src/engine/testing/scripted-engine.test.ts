import { expect, test } from "vitest";
import type { GenerateEvent, GenerateRequest } from "../engine.ts";
import { collect } from "./collect.ts";
import { type Script, scriptedEngine } from "./scripted-engine.ts";

const stop = 9;

async function run(script: Script, request: Partial<GenerateRequest> = {}): Promise<GenerateEvent[]> {
  const engine = scriptedEngine([script]);
  const events = await collect(engine.generate({ tokens: [1, 2], stopTokens: [stop], ...request }));
  expect(engine.running).toBe(0);
  return events;
}

const ended = (reason: string, outputTokens: number) => ({
  type: "end",
  reason,
  usage: { promptTokens: 2, cachedTokens: 0, outputTokens },
});

test("a script ends where an engine would: at a stop token, at the limit, or when it runs out", async () => {
  expect((await run([5, stop, 7])).slice(-2)).toEqual([{ type: "token", token: stop }, ended("stop", 2)]);
  expect((await run([5, 6, 7], { maxTokens: 2 })).at(-1)).toEqual(ended("length", 2));
  expect((await run([5])).at(-1)).toEqual(ended("length", 1));
  expect((await run([5], { signal: AbortSignal.abort() })).at(-1)).toEqual(ended("aborted", 0));
});

test("leaving early ends the request, and what was asked is recorded", async () => {
  const engine = scriptedEngine([() => [1, 2, 3]]);
  for await (const _ of engine.generate({ tokens: [4], stopTokens: [] })) break;
  expect(engine.running).toBe(0);
  expect(engine.requests.map(({ tokens }) => tokens)).toEqual([[4]]);
});

test("a request that was not scripted is an error, not silence", async () => {
  await expect(collect(scriptedEngine([]).generate({ tokens: [1], stopTokens: [] }))).rejects.toThrow(
    "request 1 of 0",
  );
});
