import { expect, test } from "vitest";
import { createMemory, type Said } from "./memory.ts";

const said = (content: string): Said => ({ message: { role: "assistant", content }, thoughts: [] });

test("remembers as much as it may, and forgets first what was not used for longest", () => {
  const memory = createMemory(10);
  memory.remember("a", said("aaaa"));
  memory.remember("b", said("bbbb"));
  memory.recall("a");
  memory.remember("c", said("cccc"));
  expect(memory.recall("a")).toEqual(said("aaaa"));
  expect(memory.recall("b")).toBe(undefined);
  expect(memory.recall("c")).toEqual(said("cccc"));
});

test("one that is too large takes no room", () => {
  const memory = createMemory(3);
  memory.remember("a", said("aaaa"));
  expect(memory.recall("a")).toBe(undefined);
  memory.remember("b", said("bbb"));
  expect(memory.recall("b")).toEqual(said("bbb"));
});
