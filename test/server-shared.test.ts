// Two servers, two processes, one Postgres: what one is told, the other knows.

import { afterAll, afterEach, expect, test } from "vitest";
// @ts-expect-error plain JavaScript, shared with the bench
import { startServer as startPlainServer } from "../bench/server/serve.mjs";
import { startPostgres } from "../src/server/node/store/testing/postgres-server.ts";

interface Started {
  readonly url: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

interface WireResponse {
  readonly id: string;
  readonly status: string;
  readonly error: { readonly code: string } | null;
}

const postgres = await startPostgres();
afterAll(() => postgres.close());

const running: Started[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop("SIGKILL")));
});

async function startTwo(): Promise<[Started, Started]> {
  const start = (): Promise<Started> => startPlainServer(["--store", postgres.url, "--max-sequences", "4"]);
  const [one, two] = await Promise.all([start(), start()]);
  running.push(one, two);
  return [one, two];
}

const call = (url: string, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${url}/v1/responses${path}`, { ...init, headers: { "content-type": "application/json" } });

async function post(url: string, body: object): Promise<WireResponse> {
  const response = await call(url, "", {
    method: "POST",
    body: JSON.stringify({ model: "embedded", ...body }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as WireResponse;
}

const get = async (url: string, id: string): Promise<WireResponse> =>
  (await (await call(url, `/${id}`)).json()) as WireResponse;

/** More than run at once, so that the last ones have not begun when the next request comes. */
async function startMany(url: string): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < 40; index++) {
    const input = `What is ${index} + ${90 - index}?`;
    ids.push((await post(url, { input, background: true, reasoning: { effort: "high" } })).id);
  }
  return ids;
}

test("a response of one server is read, continued and deleted through the other", async () => {
  const [one, two] = await startTwo();
  const first = await post(one.url, { input: "What is 47 + 85?" });
  expect(await get(two.url, first.id)).toEqual(first);
  const next = await post(two.url, { input: "And who are you?", previous_response_id: first.id });
  const items = await call(one.url, `/${next.id}/input_items`);
  expect(((await items.json()) as { data: readonly unknown[] }).data.length).toBeGreaterThan(0);
  expect((await call(two.url, `/${first.id}`, { method: "DELETE" })).status).toBe(200);
  expect((await call(one.url, `/${first.id}`)).status).toBe(404);
});

test("a background response is followed and cancelled through the other server", async () => {
  const [one, two] = await startTwo();
  const ids = await startMany(one.url);
  const followed = (await call(two.url, `/${ids[5]}?stream=true`)).text();
  const cancelled = await call(two.url, `/${ids[39]}/cancel`, { method: "POST" });
  expect(cancelled.status).toBe(200);
  expect(((await cancelled.json()) as WireResponse).status).toBe("cancelled");
  expect((await get(one.url, ids[39])).status).toBe("cancelled");
  const text = await followed;
  expect(text).toContain("event: response.completed");
  const numbers = [...text.matchAll(/"sequence_number":(\d+)/g)].map((match) => Number(match[1]));
  expect(numbers).toEqual(numbers.map((_, index) => index));
});

test("what a killed server left is failed by the other, which goes on with its own", async () => {
  const [one, two] = await startTwo();
  const left = await startMany(one.url);
  const own = await post(two.url, { input: "What is 1 + 1?", background: true });
  await one.stop("SIGKILL");
  for (const id of left) {
    await expect
      .poll(async () => (await get(two.url, id)).status, { timeout: 30_000 })
      .toMatch(/completed|failed/);
  }
  const last = await get(two.url, left[39]);
  expect(last).toMatchObject({ status: "failed", error: { code: "server_error" } });
  await expect.poll(async () => (await get(two.url, own.id)).status).toBe("completed");
});
