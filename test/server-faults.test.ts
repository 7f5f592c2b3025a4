// What must survive: a server that is killed, a disk that is full, clients that hang up or do not read. Real processes,
// real sockets, the store on disk.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, expect, test } from "vitest";
// @ts-expect-error plain JavaScript, shared with the bench
import { startServer as startPlainServer } from "../bench/server/serve.mjs";

interface Started {
  readonly url: string;
  readonly pid: number;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

interface WireResponse {
  readonly id: string;
  readonly status: string;
  readonly store: boolean;
  readonly output: readonly unknown[];
  readonly error: { readonly code: string } | null;
}

const folder = mkdtempSync(join(tmpdir(), "gpt-oss-faults-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const running: Started[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

interface StartOptions {
  readonly args?: readonly string[];
  /** The command that runs it. */
  readonly wrap?: readonly string[];
}

async function startServer(store: string, { args = [], ...options }: StartOptions = {}): Promise<Started> {
  const all = ["--store", store, "--max-sequences", "32", ...args];
  const server = (await startPlainServer(all, options)) as Started;
  running.push(server);
  return server;
}

const post = (url: string, body: object, signal?: AbortSignal): Promise<Response> =>
  fetch(`${url}/v1/responses`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "embedded", ...body }),
    ...(signal && { signal }),
  });

async function* events(response: Response): AsyncGenerator<{ type: string; response?: WireResponse }> {
  let waiting = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const frames = (waiting + chunk).split("\n\n");
    waiting = frames.pop() ?? "";
    for (const frame of frames) {
      const data = frame.slice(frame.indexOf("data: ") + 6);
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

const get = async (url: string, path: string): Promise<WireResponse> => {
  const response = await fetch(`${url}/v1/responses/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as WireResponse;
};

const remove = (url: string, id: string): Promise<Response> =>
  fetch(`${url}/v1/responses/${id}`, { method: "DELETE" });

const question = (index: number): string => `What is ${10 + (index % 80)} + ${(index * 7) % 90}?`;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test("killed under load: what was reported complete is there, whole; what ran in the background is failed", async () => {
  const store = join(folder, "killed");
  const first = await startServer(store);
  const told = new Map<string, WireResponse>();
  const background: string[] = [];
  let isKilled = false;

  const streaming = Array.from({ length: 6 }, async (_, client) => {
    for (let turn = 0; !isKilled; turn++) {
      const response = await post(first.url, { input: question(client + turn * 6), stream: true });
      for await (const event of events(response)) {
        if (event.type === "response.completed") told.set(event.response!.id, event.response!);
      }
    }
  });
  const whole = Array.from({ length: 2 }, async (_, client) => {
    for (let turn = 0; !isKilled; turn++) {
      const response = await post(first.url, { input: question(50 + client + turn * 2) });
      const body = (await response.json()) as WireResponse;
      if (body.status === "completed") told.set(body.id, body);
    }
  });
  const clients = Promise.allSettled([...streaming, ...whole]); // what they are in the middle of breaks off
  while (told.size < 20) await pause(20);
  for (let index = 0; index < 12; index++) {
    const begun = await post(first.url, {
      input: question(index),
      background: true,
      reasoning: { effort: "high" },
    });
    background.push(((await begun.json()) as WireResponse).id);
  }
  isKilled = true;
  await first.stop("SIGKILL");
  await clients;

  const { url } = await startServer(store);
  for (const [id, response] of told) {
    expect(await get(url, id)).toEqual(response);
    const items = (await get(url, `${id}/input_items`)) as unknown as { data: readonly unknown[] };
    expect(items.data).toHaveLength(1);
  }
  const ended: string[] = [];
  for (const id of background) {
    await expect.poll(async () => (await get(url, id)).status).toMatch(/completed|failed/);
    const response = await get(url, id);
    ended.push(response.status);
    if (response.status === "failed") expect(response.error?.code).toBe("server_error");
    const replayed = await fetch(`${url}/v1/responses/${id}?stream=true`);
    const types: string[] = [];
    for await (const event of events(replayed)) types.push(event.type);
    expect(types.at(-1)).toBe(`response.${response.status}`);
  }
  // Twelve long answers had milliseconds: not all of them were done.
  expect(ended).toContain("failed");
  const next = await post(url, { input: "And now?", previous_response_id: [...told.keys()][0] });
  expect(next.status).toBe(200);
});

/** A folder of 4 MB that is full when it is full, without being root: a mount in a namespace of one's own. */
const smallDisk = [
  "unshare",
  "-rm",
  "sh",
  "-c",
  `mount -t tmpfs -o size=4m tmpfs "$0" && head -c 1000000 /dev/zero >"$0/ballast" && exec "$@"`,
];
const canMount = spawnSync(smallDisk[0], [...smallDisk.slice(1), folder, "true"]).status === 0;

test.skipIf(!canMount)(
  "a full disk: answers are given, say that they were not stored, and the store heals",
  async () => {
    const disk = mkdtempSync(join(folder, "disk-"));
    const { url, pid } = await startServer(disk, { wrap: [...smallDisk, disk] });
    const long = "word ".repeat(1000);
    const answers: WireResponse[] = [];
    // Each keeps some 5 kB of instructions for its input and its response.
    while (answers.length < 600 && answers.at(-1)?.store !== false) {
      const batch = Array.from({ length: 8 }, async () => {
        const metadata = Object.fromEntries(
          Array.from({ length: 16 }, (_, key) => [`k${key}`, long.slice(0, 512)]),
        );
        const response = await post(url, { input: "Hi", max_output_tokens: 16, metadata });
        expect(response.status).toBe(200);
        return (await response.json()) as WireResponse;
      });
      answers.push(...(await Promise.all(batch)));
    }
    const lost = answers.filter((answer) => !answer.store);
    const kept = answers.filter((answer) => answer.store);
    expect(lost.length).toBeGreaterThan(0);
    for (const answer of kept) expect(await get(url, answer.id)).toEqual(answer);
    expect((await fetch(`${url}/v1/responses/${lost[0].id}`)).status).toBe(404);
    expect((await post(url, { input: "Hi", background: true })).status).toBeOneOf([200, 503]);
    rmSync(`/proc/${pid}/root${disk}/ballast`);
    expect((await remove(url, kept[0].id)).status).toBe(200);
    const after = (await (await post(url, { input: "Hi" })).json()) as WireResponse;
    expect(after.store).toBe(true);
    expect(await get(url, after.id)).toEqual(after);
  },
);

test("clients that hang up at any point, or send nonsense, take nothing from the server", async () => {
  const { url } = await startServer("memory");
  const { hostname, port } = new URL(url);
  const body = JSON.stringify({ model: "embedded", input: question(1), stream: true });
  const head = `POST /v1/responses HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n`;
  const sent = [
    "",
    "POST /v1/resp",
    `${head}content-length: 1000\r\n\r\n`,
    `${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 20)}`,
    `${head}content-length: ${body.length}\r\n\r\n${body}`,
    `${head}transfer-encoding: chunked\r\n\r\nzz\r\n`,
    `${head}content-length: -1\r\n\r\n`,
    "\u0000\u0001\u0002\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    `GET /v1/responses HTTP/1.1\r\nhost: ${hostname}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n`,
    `GET /v1/responses/${"%00".repeat(100)} HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`,
    `GET / HTTP/1.1\r\nhost: ${hostname}\r\nx: ${"y".repeat(100_000)}\r\n\r\n`,
  ];
  for (const waitMs of [0, 5, 60]) {
    await Promise.all(
      sent.map(async (text) => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => {});
        socket.write(text);
        await pause(waitMs);
        socket.destroy();
      }),
    );
  }
  await expect.poll(() => metric(url, "gpt_oss_engine_running")).toBe(0);
  await expect.poll(() => metric(url, "gpt_oss_requests_inside")).toBe(0);
  expect((await post(url, { input: "Hi" })).status).toBe(200);
});

const hasNative =
  spawnSync(process.execPath, ["dist/cli/main.js", "info", "--backend", "native"]).status === 0;

test.skipIf(!hasNative)("clients that do not read hold neither memory nor the others", async () => {
  const { url, pid } = await startServer("memory", { args: ["--backend", "native", "--context", "65536"] });
  const { hostname, port } = new URL(url);
  // 16 endless answers with twenty alternatives to each token: megabytes a second.
  const specials = Array.from({ length: 9 }, (_, index) => [2048 + index, -100]);
  const body = JSON.stringify({
    model: "embedded",
    messages: [{ role: "user", content: "Hi" }],
    reasoning_effort: "none",
    max_tokens: 3000,
    n: 16,
    logprobs: true,
    top_logprobs: 20,
    logit_bias: Object.fromEntries(specials),
    stream: true,
  });
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  const steps = (): Promise<number> => metric(url, "gpt_oss_engine_steps_total");
  let before = -1;
  let now = 0;
  while (now !== before || now === 0) {
    before = now;
    await pause(1000);
    now = await steps();
  }
  // What is on its way are the buffers of the sockets; the rest of the answers has not been made.
  expect(now).toBeLessThan(3000);
  expect(await metric(url, "gpt_oss_engine_running")).toBe(16);
  expect(residentBytes(pid)).toBeLessThan(600e6);
  const other = (await (await post(url, { input: question(1) })).json()) as WireResponse;
  expect(other.status).toBe("completed");
  socket.resume();
  await expect.poll(steps).toBeGreaterThan(now + 50);
  socket.destroy();
});

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;

async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const [, value] = new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, "m").exec(text) ?? [];
  return Number(value);
}
