// Codex hands the tools of MCP servers over in namespaces. Without them its model would know of no such tool.

import { expect, test } from "vitest";
import { calling, final, scriptedServer, thinking } from "../testing/scripted-server.ts";
import { readStrictly } from "./testing/strict-client.ts";
import { create, refused, stream } from "./testing/talk.ts";
import type { FunctionCallItem, ResponseObject } from "./wire.ts";

const search = { type: "function", name: "search", description: "Searches." } as const;
const namespace = (name: string, tools: readonly object[] = [search]) => ({
  type: "namespace",
  name,
  description: "Tools.",
  tools,
});

const callOf = ({ output }: ResponseObject): FunctionCallItem =>
  output.find((item) => item.type === "function_call") as FunctionCallItem;

test("the model knows a function with its namespace, the client reads them apart", async () => {
  const server = scriptedServer([thinking("Docs.") + calling("docs__search", '{"q":"a"}')]);
  const events = await stream(server, { input: "?", tools: [namespace("docs"), namespace("web")] });
  const call = callOf(readStrictly(events));
  expect(call).toMatchObject({ name: "search", namespace: "docs", arguments: '{"q":"a"}' });
  expect(events.find(({ type }) => type === "response.function_call_arguments.done")).toMatchObject({
    name: "search",
  });
  expect(server.prompts()[0]).toContain("type docs__search = () => any;");
  expect(server.prompts()[0]).toContain("type web__search = () => any;");
});

test("a call that is sent back is the call that was made, thoughts before it included", async () => {
  const server = scriptedServer([thinking("Docs.") + calling("docs__search", "{}"), final("Found.")]);
  const tools = [namespace("docs")];
  const {
    namespace: group,
    name,
    call_id,
    arguments: args,
  } = callOf(await create(server, { input: "?", tools }));
  await create(server, {
    tools,
    input: [
      { role: "user", content: "?" },
      { type: "function_call", namespace: group, name, call_id, arguments: args },
      { type: "function_call_output", call_id, output: "here" },
    ],
  });
  const prompt = server.prompts()[1];
  expect(prompt).toContain("Docs.");
  expect(prompt).toContain("to=functions.docs__search");
  expect(prompt).toContain("<|start|>functions.docs__search to=assistant");
});

test("a model that leaves the namespace out is understood where one function only can be meant", async () => {
  const server = scriptedServer([calling("search", "{}"), calling("search", "{}"), final("None.")]);
  const one = await create(server, { input: "?", tools: [namespace("docs")] });
  expect(callOf(one)).toMatchObject({ name: "search", namespace: "docs" });
  const two = await create(server, { input: "?", tools: [namespace("docs"), namespace("web")] });
  expect(callOf(two)).toBeUndefined();
});

test("a plain function keeps its name beside one in a namespace, and both can be demanded", async () => {
  const scripts = [calling("search", "{}"), calling("docs__search", "{}")];
  const server = scriptedServer(scripts);
  const asked = { input: "?", tools: [search, namespace("docs")] };
  const tool_choice = { type: "function", name: "search" };
  const plain = await create(server, { ...asked, tool_choice });
  expect(callOf(plain)).not.toHaveProperty("namespace");
  expect(
    callOf(await create(server, { ...asked, tool_choice: { ...tool_choice, namespace: "docs" } })),
  ).toMatchObject({ namespace: "docs" });
});

test("what cannot be a name is refused with its place, and tools of other types in it are left out", async () => {
  const server = scriptedServer([final("ok")]);
  expect(await refused(server, { input: "?", tools: [namespace("a b")] })).toMatchObject({
    status: 400,
    param: "tools[0].name",
  });
  expect(
    await refused(server, { input: "?", tools: [search, namespace("docs", [{ ...search, name: "a b" }])] }),
  ).toMatchObject({ status: 400, param: "tools[1].tools[0].name" });
  expect(await refused(server, { input: "?", tools: [namespace("docs", [search, search])] })).toMatchObject({
    status: 400,
    message: expect.stringContaining("declared twice"),
  });
  await create(server, { input: "?", tools: [namespace("docs", [{ type: "custom", name: "patch" }])] });
  expect(server.prompts()[0]).not.toContain("patch");
});
