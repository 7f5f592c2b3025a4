import { describe, expect, test } from "vitest";
import type { Script } from "../../engine/testing/scripted-engine.ts";
import { final, post, scriptedServer, thinking, tokens } from "../testing/scripted-server.ts";
import { readStrictly } from "./testing/strict-client.ts";
import { path } from "./testing/talk.ts";
import type { ResponseObject, StreamEvent } from "./wire.ts";

interface SocketError {
  readonly type: "error";
  readonly status: number;
  readonly error: { readonly code: string; readonly message: string; readonly type: string };
}

async function connect(scripts: readonly (string | Script)[]) {
  const server = scriptedServer(scripts);
  const opening = await server.server.connect(new Request(`http://localhost${path}`));
  if (opening instanceof Response) throw new Error(`refused: ${opening.status}`);
  const received: (StreamEvent | SocketError)[] = [];
  const session = opening({
    send: async (text) => void received.push(JSON.parse(text)),
    close: () => {},
  });
  const isEnd = (event: StreamEvent | SocketError): boolean =>
    /^(error|response\.(completed|incomplete|failed))$/.test(event.type);
  /** What came until the next response, or error, was over. */
  const answer = async (): Promise<(StreamEvent | SocketError)[]> => {
    await expect.poll(() => received.some(isEnd)).toBe(true);
    return received.splice(0, received.findIndex(isEnd) + 1);
  };
  const ask = (body: object): void =>
    session.receive(JSON.stringify({ type: "response.create", model: "test", ...body }));
  return {
    server,
    session,
    ask,
    error: async () => (await answer())[0] as SocketError,
    response: async (): Promise<ResponseObject> => readStrictly((await answer()) as StreamEvent[]),
  };
}

describe("a WebSocket", () => {
  test("gets the same events as a stream, and tolerates the fields that mean nothing there", async () => {
    const { ask, response } = await connect([thinking("Hm.") + final("4")]);
    ask({ input: "2+2?", stream: null, background: null, stream_options: null });
    expect(await response()).toMatchObject({
      status: "completed",
      output: [{}, { content: [{ text: "4" }] }],
    });
  });

  test("continues responses that are stored nowhere, link after link", async () => {
    const { ask, response, server } = await connect([final("4"), final("8"), final("16")]);
    ask({ input: "2+2?", store: false });
    const first = await response();
    ask({ input: "Twice?", store: false, previous_response_id: first.id });
    const second = await response();
    expect(second.previous_response_id).toBe(first.id);
    ask({ input: "Again?", store: false, previous_response_id: second.id });
    await response();
    const prompt = server.prompts()[2];
    for (const said of ["2+2?", "<|message|>4<|end|>", "Twice?", "<|message|>8<|end|>", "Again?"])
      expect(prompt).toContain(said);
  });

  test("answers one request after the other, in order", async () => {
    const { ask, response, server } = await connect([final("one"), final("two"), final("three")]);
    for (const input of ["1", "2", "3"]) ask({ input });
    const texts = [await response(), await response(), await response()].map(({ output }) => output);
    expect(texts).toMatchObject(["one", "two", "three"].map((text) => [{ content: [{ text }] }]));
    expect(server.engine.running).toBe(0);
  });

  test("stays open after errors, each in its envelope", async () => {
    const { ask, session, error, response } = await connect([final("ok")]);
    session.receive("{");
    expect(await error()).toMatchObject({ type: "error", status: 400, error: { code: "invalid_json" } });
    session.receive("null");
    expect(await error()).toMatchObject({ status: 400, error: { code: "invalid_request" } });
    session.receive('{"type":"session.update"}');
    expect(await error()).toMatchObject({ status: 400, error: { code: "invalid_request" } });
    ask({ model: "gpt-9", input: "x" });
    expect(await error()).toMatchObject({ status: 404, error: { code: "model_not_found" } });
    ask({ input: [{ type: "function_call_output", call_id: "call_none", output: "x" }] });
    expect(await error()).toMatchObject({ status: 400, error: { code: "invalid_function_call_output" } });
    ask({ input: "x", previous_response_id: "resp_none" });
    expect(await error()).toMatchObject({ status: 400, error: { code: "previous_response_not_found" } });
    ask({ input: "x" });
    expect(await response()).toMatchObject({ status: "completed" });
  });

  test("forgets a response whose continuation failed", async () => {
    const { ask, error, response } = await connect([final("4")]);
    ask({ input: "2+2?", store: false });
    const { id } = await response();
    ask({
      previous_response_id: id,
      input: [{ type: "function_call_output", call_id: "none", output: "x" }],
    });
    expect(await error()).toMatchObject({ status: 400 });
    ask({ previous_response_id: id, input: "Twice?" });
    expect(await error()).toMatchObject({ error: { code: "previous_response_not_found" } });
  });

  test("reads a prompt ahead and answers nothing when told so", async () => {
    const { ask, response, server } = await connect([final("never shown"), final("4")]);
    ask({ input: "Read this.", generate: false });
    const read = await response();
    expect(read).toMatchObject({ status: "completed", output: [], usage: { output_tokens: 0 } });
    ask({ input: "2+2?", previous_response_id: read.id });
    expect(await response()).toMatchObject({ output: [{ content: [{ text: "4" }] }] });
    expect(server.prompts()[1]).toContain("Read this.");
    expect(server.prompts()[1]).not.toContain("never shown");
  });

  test("frees the model's place when the client leaves", async () => {
    const endless = async function* () {
      yield* tokens("<|channel|>final<|message|>");
      while (true) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        yield* tokens(" on");
      }
    };
    const { ask, session, server } = await connect([endless]);
    ask({ input: "Go" });
    ask({ input: "never asked" });
    await expect.poll(() => server.engine.running).toBe(1);
    session.closed();
    await expect.poll(() => server.engine.running).toBe(0);
    await server.server.close();
    expect(server.engine.requests).toHaveLength(1);
  });

  test("is refused more than it can hold", async () => {
    const { ask, error } = await connect([
      async function* () {
        await new Promise((resolve) => setTimeout(resolve, 300));
        yield* tokens(final("late"));
      },
    ]);
    for (let count = 0; count < 40; count++) ask({ input: "x" });
    expect(await error()).toMatchObject({ status: 429, error: { code: "queue_full" } });
  });
});

test("a response made over a WebSocket can be read over HTTP", async () => {
  const { ask, response, server } = await connect([final("4")]);
  ask({ input: "2+2?" });
  const { id } = await response();
  const read = await server.fetch(new Request(`http://localhost${path}/${id}`));
  expect(await read.json()).toMatchObject({ id, status: "completed" });
  expect((await server.fetch(post(path, { model: "test" }))).status).toBe(400);
});
