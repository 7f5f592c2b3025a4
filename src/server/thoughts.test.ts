import { expect, test } from "vitest";
import { runAgent } from "../agent/index.ts";
import { scriptedModel } from "../agent/testing/scripted-model.ts";
import type { Message } from "../harmony/index.ts";
import type { TokenId } from "../tokenizer/index.ts";
import { createThoughtMemory, type ThoughtMemory } from "./thoughts.ts";

/** Lets a model say this, and gives the ids of its calls. */
async function hear(thoughts: ThoughtMemory, ...turns: string[]): Promise<string[]> {
  const model = scriptedModel(...turns);
  const memory = new Map<Message, readonly TokenId[]>();
  const recording = thoughts.of("model", undefined).record(memory);
  const request = { messages: [{ role: "user", content: "?" }], tools: { f: {} }, memory } as const;
  const calls: string[] = [];
  for await (const event of runAgent(model, request)) {
    recording.add(event);
    if (event.type === "tool-call-end") calls.push(event.call.id);
  }
  return calls;
}

const analysis = (text: string): string => `<|channel|>analysis<|message|>${text}<|end|><|start|>assistant`;
const call = "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>";

test("a call is remembered with the thoughts before it, across repaired turns, in the tokens of the model", async () => {
  const thoughts = createThoughtMemory();
  const unknown = "<|channel|>commentary to=functions.g <|constrain|>json<|message|>{}<|call|>";
  const [, id] = await hear(thoughts, analysis("First.") + unknown, analysis("Second.") + call);
  const known = thoughts.of("model", undefined).call(id)!;
  expect(known.message).toMatchObject({ recipient: "functions.f", content: "{}" });
  expect(known.thoughts.map(({ message }) => message.content)).toEqual(["Second."]);
  expect(known.tokens?.length).toBeGreaterThan(5);
  expect(thoughts.of("model", undefined).tokens("analysis", "First.")).toBeDefined();
  expect(thoughts.of("other", undefined).call(id)).toBeUndefined();
});

test("what was sampled for one key is not found with another, or without one", async () => {
  const memory = createThoughtMemory();
  const [id] = await hear(memory, analysis("Secret.") + call);
  for (const other of [memory.of("model", "alice"), memory.of("model", "")]) {
    expect(other.call(id)).toBeUndefined();
    expect(other.tokens("analysis", "Secret.")).toBeUndefined();
  }
});

test("a plan that the user hears does not part the thoughts from the call", async () => {
  const thoughts = createThoughtMemory();
  const plan = "<|channel|>commentary<|message|>Let me look.<|end|><|start|>assistant";
  const [id] = await hear(thoughts, analysis("Hm.") + plan + call);
  expect(
    thoughts
      .of("model", undefined)
      .call(id)!
      .thoughts.map(({ message }) => message.content),
  ).toEqual(["Hm."]);
});

test("what was used longest ago goes first, and the bound holds", async () => {
  const thoughts = createThoughtMemory({ maxBytes: 4000 });
  const first = await hear(thoughts, analysis("kept") + call);
  for (let count = 0; count < 30; count++) {
    thoughts.of("model", undefined).call(first[0]);
    await hear(thoughts, analysis(`thought ${count}`) + call);
    expect(thoughts.bytes).toBeLessThanOrEqual(4000);
  }
  expect(thoughts.of("model", undefined).call(first[0])).toBeDefined();
  expect(thoughts.of("model", undefined).tokens("analysis", "thought 0")).toBeUndefined();
  expect(thoughts.of("model", undefined).tokens("analysis", "thought 29")).toBeDefined();
});

test("one thing larger than the bound is not kept", async () => {
  const thoughts = createThoughtMemory({ maxBytes: 1000 });
  const [id] = await hear(thoughts, analysis("long ".repeat(1000)) + call);
  expect(thoughts.of("model", undefined).call(id)).toBeUndefined();
  expect(thoughts.bytes).toBeLessThanOrEqual(1000);
});
