// What only a real socket shows: writes, disconnects, handshakes, and the end.

import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { createMemoryStore } from "../index.ts";
import {
  final,
  type ScriptedServer,
  type ScriptedServerOptions,
  scriptedServer,
  thinking,
  tokens,
} from "../testing/scripted-server.ts";
import { isLoopback, type Listening, listen, serve } from "./index.ts";

const path = "/v1/chat/completions";
const question = { model: "test", messages: [{ role: "user", content: "Hi?" }] };
const open: Listening[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close({ graceMs: 0 })));
});

async function start(
  scripts: Parameters<typeof scriptedServer>[0],
  options: ScriptedServerOptions = {},
): Promise<ScriptedServer & Listening> {
  const scripted = scriptedServer(scripts, options);
  const listening = await listen(scripted.server, { port: 0 });
  open.push(listening);
  return { ...scripted, ...listening };
}

const post = (url: string, body: object, init: RequestInit = {}): Promise<Response> =>
  fetch(url + path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
    ...init,
  });

const endless = async function* () {
  yield* tokens("<|channel|>final<|message|>");
  while (true) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield* tokens(" on");
  }
};

describe("a socket", () => {
  test("listens on this machine only, unless told otherwise", async () => {
    const { host, url } = await start([]);
    expect(host).toBe("127.0.0.1");
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(["localhost", "127.0.0.1", "::1"].every(isLoopback)).toBe(true);
    expect(["0.0.0.0", "::", "192.168.0.2", "example.com"].some(isLoopback)).toBe(false);
  });

  test("answers, and streams one frame a write", async () => {
    const { url } = await start([thinking("Sum.") + final("132"), final("132")]);
    expect(await (await post(url, question)).json()).toMatchObject({
      choices: [{ message: { content: "132" } }],
    });
    const response = await post(url, { ...question, stream: true });
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body!) text += decoder.decode(chunk);
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  test("sends headers and the first frame before the model has said anything", async () => {
    let go = (): void => {};
    const waiting = async function* () {
      await new Promise<void>((resolve) => {
        go = resolve;
      });
      yield* tokens(final("Hi."));
    };
    const { url } = await start([waiting]);
    const response = await post(url, { ...question, stream: true });
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain('"role":"assistant"');
    go();
    while (!(await reader.read()).done);
  });

  test("that is closed in the middle of an answer frees the model, streaming or not", async () => {
    const server = await start([endless, endless]);
    for (const stream of [true, false]) {
      const leaving = new AbortController();
      const response = post(server.url, { ...question, stream }, { signal: leaving.signal });
      response.catch(() => {}); // it is aborted below
      await expect.poll(() => server.engine.running).toBe(1);
      leaving.abort();
      await expect.poll(() => server.engine.running).toBe(0);
    }
  });

  test("that is not read holds the model up instead of the memory", async () => {
    let made = 0;
    const flood = async function* () {
      yield* tokens("<|channel|>final<|message|>");
      while (true) {
        if (made++ % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
        yield* tokens(" on");
      }
    };
    const { url, port } = await start([flood]);
    const body = JSON.stringify({ ...question, stream: true });
    const socket = connect(port, "127.0.0.1");
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    socket.on("error", () => {}); // the server may be the first to leave
    socket.pause();
    expect(url).toContain(String(port));
    let before = -1;
    // The kernel's buffers take a few megabytes; then nothing more is sampled.
    await expect
      .poll(
        () => {
          const isStill = made === before;
          before = made;
          return isStill;
        },
        { interval: 300, timeout: 20_000 },
      )
      .toBe(true);
    expect(made).toBeGreaterThan(0);
    socket.destroy();
  });

  test("that talks nonsense gets a 400 and not a crash", async () => {
    const { port, url } = await start([final("Hi.")]);
    const answer = await new Promise<string>((resolve) => {
      const socket: Socket = connect(port, "127.0.0.1", () => socket.write("NONSENSE\r\n\r\n"));
      socket.on("error", () => {}); // as above
      let text = "";
      socket.on("data", (data) => {
        text += data.toString();
      });
      socket.on("close", () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect((await post(url, question)).status).toBe(200);
  });

  test("on a port that is taken is an error that says so", async () => {
    const taken = createTcpServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as { port: number };
    await expect(serve({ models: [], store: createMemoryStore(), port })).rejects.toMatchObject({
      code: "EADDRINUSE",
    });
    taken.close();
  });

  test("of a local server refuses foreign names", async () => {
    const listening = await serve({ models: [], store: createMemoryStore(), port: 0 });
    open.push(listening);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(listening.port, "127.0.0.1", () =>
        socket.write("GET /v1/models HTTP/1.1\r\nhost: evil.example\r\nconnection: close\r\n\r\n"),
      );
      socket.on("error", () => {}); // as above
      let text = "";
      socket.on("data", (data) => {
        text += data.toString();
      });
      socket.on("close", () => resolve(text));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe("closing", () => {
  test("finishes answers that run, streams too, and then lets go of the port", async () => {
    const slowly = async function* () {
      for (const token of tokens(final("one two three"))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        yield token;
      }
    };
    const server = await start([slowly]);
    const response = await post(server.url, { ...question, stream: true });
    const closing = server.close();
    expect(await response.text()).toContain("[DONE]");
    await closing;
    await expect(post(server.url, question)).rejects.toThrow();
  });
});

describe("a WebSocket", () => {
  const keys = [{ name: "alice", key: "sk-alice-0001" }];

  test("needs a key where there are any, and is refused as HTTP where it must be", async () => {
    const { url } = await start([], { keys });
    const status = (address: string, headers: Record<string, string> = {}): Promise<number> =>
      new Promise((resolve) => {
        const socket = new WebSocket(url.replace("http", "ws") + address, { headers });
        socket.on("open", () => {
          socket.close();
          resolve(101);
        });
        socket.on("unexpected-response", (request, response) => {
          request.destroy();
          resolve(response.statusCode ?? 0);
        });
        socket.on("error", () => {}); // told above
      });
    const key = { authorization: "Bearer sk-alice-0001" };
    expect(await status("/v1/responses")).toBe(401);
    expect(await status("/v1/elsewhere", key)).toBe(404);
    expect(await status("/v1/responses", { ...key, origin: "https://app.example" })).toBe(101);
    expect(await status("/v1/responses", key)).toBe(101);
  });

  test("of a request that fetch refuses to be is 400, and the server lives on", async () => {
    const { port, url } = await start([]);
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(port, "127.0.0.1", () =>
        socket.write(
          "GET /v1/responses HTTP/1.1\r\nHost: a:b@localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        ),
      );
      socket.on("error", () => {}); // as above
      socket.once("data", (data) => resolve(data.toString()));
    });
    expect(answer).toContain("HTTP/1.1 400");
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  test("is closed when the server is, and takes text only", async () => {
    const server = await start([]);
    const code = (act: (socket: WebSocket) => void): Promise<number> =>
      new Promise((resolve) => {
        const socket = new WebSocket(`${server.url.replace("http", "ws")}/v1/responses`);
        socket.on("open", () => act(socket));
        socket.on("close", resolve);
      });
    expect(await code((socket) => socket.send(Buffer.from([1, 2])))).toBe(1003);
    expect(await code(() => void server.close())).toBe(1001);
  });
});
