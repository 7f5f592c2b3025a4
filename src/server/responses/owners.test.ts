// What one API key's callers made is not there for another's: whoever learns an id, from a log or a link, gets nothing.

import { describe, expect, test } from "vitest";
import { createMemoryStore } from "../index.ts";
import type { ResponseStore, StoreListener } from "../store/index.ts";
import { calling, final, post, scriptedServer, thinking, tokens } from "../testing/scripted-server.ts";
import { create, path } from "./testing/talk.ts";
import type { ResponseObject, StreamEvent } from "./wire.ts";

const keys = [
  { name: "alice", key: "sk-alice-0001" },
  { name: "bob", key: "sk-bob-00001" },
];

const weather = { type: "function", name: "get_weather" } as const;

function served(scripts: Parameters<typeof scriptedServer>[0], store = createMemoryStore()) {
  const server = scriptedServer(scripts, { keys, store });
  const headersOf = (name: string) => ({
    authorization: `Bearer ${keys.find((key) => key.name === name)?.key}`,
  });
  const as = async (name: string, method: string, place = "", body?: object) => {
    const init = { method, headers: headersOf(name) };
    const request =
      body === undefined
        ? new Request(`http://localhost${path}${place}`, init)
        : post(`${path}${place}`, { model: "test", ...body }, init);
    const response = await server.fetch(request);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const made = async (name: string, body: object): Promise<ResponseObject> =>
    (await as(name, "POST", "", body)).body as unknown as ResponseObject;
  return { server, as, made, headersOf };
}

describe("another key's response", () => {
  test("answers like an unknown one to whatever is asked of it", async () => {
    const { as, made, server } = served([final("It is in the safe."), final("ok")]);
    const { id, output } = await made("alice", { input: "Where?" });
    const unknown = `resp_${"0".repeat(32)}`;
    const tries = (target: string) => [
      ["GET", `/${target}`],
      ["GET", `/${target}?stream=true`],
      ["GET", `/${target}/input_items`],
      ["POST", `/${target}/cancel`, {}],
      ["DELETE", `/${target}`],
      ["POST", "", { input: "And?", previous_response_id: target }],
      ["POST", "/input_tokens", { input: "And?", previous_response_id: target }],
      ["POST", "/compact", { previous_response_id: target }],
    ];
    for (const [index, [method, place, body]] of tries(id).entries()) {
      const got = await as("bob", method as string, place as string, body as object | undefined);
      const [otherMethod, otherPlace, otherBody] = tries(unknown)[index];
      const expected = await as(
        "bob",
        otherMethod as string,
        otherPlace as string,
        otherBody as object | undefined,
      );
      expect(got.status, `${method} ${place}`).toBe(404);
      expect(JSON.stringify(got.body).replaceAll(id, unknown)).toBe(JSON.stringify(expected.body));
    }
    const reference = { input: [{ type: "item_reference", id: output[0].id }] };
    expect(await as("bob", "POST", "", reference)).toMatchObject({
      status: 404,
      body: { error: { code: "item_not_found" } },
    });
    expect(server.engine.requests).toHaveLength(1);
    expect(await as("alice", "GET", `/${id}`)).toMatchObject({ status: 200, body: { id } });
    expect(await made("alice", { input: "And?", previous_response_id: id })).toMatchObject({
      status: "completed",
    });
    expect(await as("alice", "DELETE", `/${id}`)).toMatchObject({ status: 200 });
  });

  test("cannot be reached over a WebSocket either", async () => {
    const { made, server, headersOf } = served([final("It is in the safe."), final("ok")]);
    const { id, output } = await made("alice", { input: "Where?" });
    const received: (StreamEvent & { error?: { code: string } })[] = [];
    const opening = await server.server.connect(
      new Request(`http://localhost${path}`, { headers: headersOf("bob") }),
    );
    if (opening instanceof Response) throw new Error(`refused: ${opening.status}`);
    const session = opening({ send: async (text) => void received.push(JSON.parse(text)), close: () => {} });
    const ask = (body: object) =>
      session.receive(JSON.stringify({ type: "response.create", model: "test", ...body }));
    ask({ input: "And?", previous_response_id: id });
    ask({ input: [{ type: "item_reference", id: output[0].id }] });
    await expect
      .poll(() => received.map(({ error }) => error?.code))
      .toEqual(["previous_response_not_found", "item_not_found"]);
    ask({ input: "Hello" });
    await expect.poll(() => received.at(-1)?.type).toBe("response.completed");
    const { response: own } = received.at(-1) as Extract<StreamEvent, { response: unknown }>;
    expect((await server.fetch(get(own.id, headersOf("bob")))).status).toBe(200);
    expect((await server.fetch(get(own.id, headersOf("alice")))).status).toBe(404);
  });

  test("goes on in the background while others ask for it", async () => {
    let go = (): void => {};
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const waiting = async function* () {
      await gate;
      yield* tokens(final("Done."));
    };
    const { as, made } = served([waiting]);
    const { id } = await made("alice", { input: "Go", background: true });
    for (const [method, place] of [
      ["POST", `/${id}/cancel`],
      ["DELETE", `/${id}`],
      ["GET", `/${id}?stream=true`],
    ])
      expect((await as("bob", method, place)).status).toBe(404);
    go();
    await expect.poll(async () => (await as("alice", "GET", `/${id}`)).body.status).toBe("completed");
  });

  test("stays its owner's when its process dies and another one marks it failed", async () => {
    const store = createMemoryStore();
    const never = async function* () {
      yield* tokens("<|channel|>final<|message|>It");
      await new Promise(() => {});
    };
    const { id } = await served([never], store).made("alice", { input: "Go", background: true });
    const listeners: StoreListener[] = [];
    const watch = (listener: StoreListener) => {
      listeners.push(listener);
      return () => {};
    };
    const watched: ResponseStore = { ...store, watch };
    const { as } = served([], watched);
    listeners[0].abandoned((await store.of("alice").get(id))!);
    await expect.poll(async () => (await as("alice", "GET", `/${id}`)).body.status).toBe("failed");
    expect((await as("bob", "GET", `/${id}`)).status).toBe(404);
  });

  test("gives nobody its thoughts by the id of its call", async () => {
    const { made, server } = served([
      thinking("The code is 1234.") + calling("get_weather", "{}"),
      final("ok"),
      final("ok"),
    ]);
    const { output } = await made("alice", { input: "Weather?", tools: [weather] });
    const { call_id } = output[1] as unknown as { call_id: string };
    const input = [
      { type: "function_call", call_id, name: "get_weather", arguments: "{}" },
      { type: "function_call_output", call_id, output: "sun" },
    ];
    for (const name of ["bob", "alice"]) await made(name, { input, tools: [weather] });
    const [, bobs, alices] = server.prompts();
    expect(bobs).not.toContain("1234");
    expect(alices).toContain("1234");
  });
});

test("what was stored without keys is not there once keys are asked for, and the other way round", async () => {
  const store = createMemoryStore();
  const open = scriptedServer([final("4")], { store });
  const { id } = await create(open, { input: "2+2?" });
  const { as, made } = served([final("8")], store);
  expect((await as("alice", "GET", `/${id}`)).status).toBe(404);
  const { id: kept } = await made("alice", { input: "4+4?" });
  expect((await open.fetch(get(kept, {}))).status).toBe(404);
  expect((await open.fetch(get(id, {}))).status).toBe(200);
});

const get = (id: string, headers: Record<string, string>): Request =>
  new Request(`http://localhost${path}/${id}`, { headers });
