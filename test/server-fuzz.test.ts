// Request bodies that nobody would write, against the whole server with a real engine: made from the server's own OpenAPI
// document, by mutating real requests, and by damaging their bytes. Every one gets an answer, none of them a 5xx.
// GPTOSS_FUZZ_SECONDS=180 goes on for so long, with new seeds, and says how many it tried.

import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load } from "../src/library/node/index.ts";
import { createMemoryStore, createServer, type LogEntry, type Server } from "../src/server/index.ts";
import { checkDescribed } from "../src/server/testing/described.ts";
import { mutated, realRequests } from "./fuzz/bodies.ts";
import { arbitraryOf, type JsonSchema } from "./fuzz/from-schema.ts";

const seconds = Number(process.env.GPTOSS_FUZZ_SECONDS ?? 0);
/** Requests in the suite: some 20 s of them. */
const suiteRequests = 400;

const logged: LogEntry[] = [];
const statuses = new Map<number, number>();
let server: Server;
/** The same, for requests that are none too many: on a slow machine, too, their answers come whole. */
let patient: Server;
let close: () => Promise<void>;

beforeAll(async () => {
  const model = await load({
    contextTokens: 1024,
    engine: { maxSequences: 8, maxWaiting: 64 },
  });
  const { temperature, currentDate } = model.info.defaults;
  const served = {
    id: "embedded",
    created: 0,
    engine: model.engine,
    tokenizer: model.tokenizer,
    stopTokens: model.info.config.stopTokens,
    defaults: { temperature: temperature!, currentDate: currentDate as string },
  };
  const options = { models: [served], log: (entry: LogEntry) => logged.push(entry) };
  server = createServer({ ...options, store: createMemoryStore(), limits: { requestMs: answerMs } });
  patient = createServer({ ...options, store: createMemoryStore() });
  close = async () => {
    await Promise.all([server, patient].map((one) => one.close({ graceMs: 0 })));
    await model.close();
  };
});
afterAll(() => close());

interface Sent {
  readonly path: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
}

/** What the server itself ends an answer after; a request that takes longer hangs. */
const answerMs = 10_000;
const hangMs = 20_000;

/** What is wrong with the answer, if something is. */
async function problemOf({ path, body }: Sent): Promise<string | undefined> {
  const request = new Request(`http://localhost${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
  });
  const response = await orHang(server.fetch(request));
  if (response === "hang") return "no answer";
  statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  if (response.status >= 500) return `${response.status}: ${await response.text()}`;
  const text = await orHang(response.text());
  if (text === "hang") return "the answer does not end";
  if (response.status >= 400) {
    const { error } = JSON.parse(text) as { error: { message: unknown; code: unknown } };
    const isWhole = typeof error.message === "string" && typeof error.code === "string";
    if (!isWhole) return `an error without message or code: ${text}`;
  }
  const undescribed = await checkDescribed(request, response, text).catch(String);
  if (undescribed !== undefined) return undescribed;
  return /"code":"server_error"/.test(text) && !text.includes("request_timeout") ? text : undefined;
}

async function orHang<T>(work: Promise<T>): Promise<T | "hang"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"hang">((resolve) => {
    timer = setTimeout(resolve, hangMs, "hang");
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Some at once, as in life. */
async function tryAll(requests: readonly Sent[]): Promise<void> {
  const left = [...requests];
  const problems: string[] = [];
  const worker = async (): Promise<void> => {
    for (let sent = left.pop(); sent; sent = left.pop()) {
      const problem = await problemOf(sent);
      if (problem !== undefined) problems.push(`${problem}\n  ${sent.path} ${show(sent.body)}`);
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
  expect(problems).toEqual([]);
  expect(logged.filter(({ level }) => level === "error")).toEqual([]);
}

const show = (body: Sent["body"]): string =>
  (typeof body === "string" ? body : Buffer.from(body).toString("latin1")).slice(0, 2000);

interface Operation {
  readonly requestBody?: {
    readonly content: { readonly "application/json": { readonly schema: JsonSchema } };
  };
}

async function bodySchemas(): Promise<Map<string, JsonSchema>> {
  const response = await server.fetch(new Request("http://localhost/openapi.json"));
  const { paths } = (await response.json()) as { paths: Record<string, { post?: Operation }> };
  return new Map(
    Object.entries(paths).flatMap(([path, { post }]) =>
      post?.requestBody ? [[path, post.requestBody.content["application/json"].schema]] : [],
    ),
  );
}

async function arbitraryRequest(): Promise<fc.Arbitrary<Sent>> {
  const schemas = await bodySchemas();
  expect([...schemas.keys()]).toContain("/v1/responses");
  const paths = [...schemas.keys()];
  const fromSchema = fc
    .constantFrom(...paths)
    .chain((path) =>
      arbitraryOf(schemas.get(path)!).map((body) => ({ path, body: JSON.stringify(withLimits(body)) })),
    );
  const real = fc
    .constantFrom(...realRequests)
    .chain(({ path, body }) => mutated(body).map((one) => ({ path, body: JSON.stringify(withLimits(one)) })));
  const damaged = fc
    .tuple(real, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }))
    .map(([{ path, body }, changes]): Sent => {
      const bytes = new TextEncoder().encode(body);
      for (const [place, byte] of changes) bytes[place % bytes.length] = byte;
      return { path, body: changes[0][0] % 3 === 0 ? bytes.slice(0, changes[0][0] % bytes.length) : bytes };
    });
  return fc.oneof(
    { weight: 5, arbitrary: fromSchema },
    { weight: 5, arbitrary: real },
    { weight: 1, arbitrary: damaged },
  );
}

/** Most bodies name the model, and ask for few tokens: what is looked for is not how the model goes on. */
function withLimits(body: unknown): unknown {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const isOdd = JSON.stringify(body).length % 10 === 0;
  if (isOdd) return body;
  return { max_output_tokens: 8, max_completion_tokens: 8, max_tokens: 8, ...body, model: "embedded" };
}

test(
  "no body gets a 5xx, an error without a code, or no answer",
  async () => {
    const requests = await arbitraryRequest();
    const end = performance.now() + seconds * 1000;
    let tried = 0;
    for (let seed = 4; ; seed++) {
      const batch = fc.sample(requests, { numRuns: suiteRequests, seed });
      await tryAll(batch);
      tried += batch.length;
      if (performance.now() >= end) break;
    }
    if (seconds > 0) console.log(`${tried} request bodies in ${seconds} s; by status:`, statuses);
    // Bodies that are all refused at the door would find nothing behind it.
    expect(statuses.get(200)).toBeGreaterThan(tried / 10);
    expect(statuses.get(400)).toBeGreaterThan(tried / 5);
  },
  (seconds + 120) * 1000,
);

describe("extremes, each a clear 4xx", () => {
  const send = (path: string, body: Sent["body"]): Promise<Response> =>
    patient.fetch(
      new Request(`http://localhost${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body,
      }),
    );
  const code = async (response: Response): Promise<string> =>
    `${response.status} ${((await response.json()) as { error: { code: string } }).error.code}`;
  const responses = (input: unknown, more: object = {}): string =>
    JSON.stringify({ model: "embedded", input, max_output_tokens: 4, ...more });
  const chat = (content: unknown): string =>
    JSON.stringify({ model: "embedded", messages: [{ role: "user", content }], max_tokens: 4 });

  test("prompts as long as the context, and longer", async () => {
    for (const length of [1000, 1024, 5000, 200_000]) {
      const text = "word ".repeat(length);
      expect(await code(await send("/v1/responses", responses(text)))).toBe("400 context_length_exceeded");
      expect(await code(await send("/v1/chat/completions", chat(text)))).toBe("400 context_length_exceeded");
      const background = responses(text, { background: true });
      expect(await code(await send("/v1/responses", background))).toBe("400 context_length_exceeded");
    }
  });

  test("prompts up to the last token of the context are answered", async () => {
    const statuses = new Set<number>();
    for (let words = 400; words < 1000; words += 40) {
      const response = await send(
        "/v1/responses",
        responses("a ".repeat(words), { max_output_tokens: 100_000 }),
      );
      statuses.add(response.status);
      await response.text();
    }
    expect([...statuses].sort()).toEqual([200, 400]);
  });

  test("empty prompts: allowed where clients send them, else refused", async () => {
    expect((await send("/v1/responses", responses(""))).status).toBe(200);
    expect((await send("/v1/chat/completions", chat(""))).status).toBe(200);
    const none = JSON.stringify({ model: "embedded", messages: [] });
    expect((await send("/v1/chat/completions", none)).status).toBe(400);
  });

  test("10 MB, and more", async () => {
    const big = "x".repeat(9_900_000);
    expect(await code(await send("/v1/responses", responses(big)))).toBe("400 context_length_exceeded");
    expect((await send("/v1/responses", responses(`${big}${big}`))).status).toBe(413);
    expect((await send("/v1/chat/completions", chat(`${big}${big}`))).status).toBe(413);
  });

  test("bad UTF-8, deep JSON, numbers out of every range", async () => {
    const badUtf8 = Uint8Array.of(...new TextEncoder().encode('{"model":"'), 0xff, 0xc0, 0x80, 0x22, 0x7d);
    const deep = `{"model":"embedded","input":${"[".repeat(200_000)}${"]".repeat(200_000)}}`;
    const deepObjects = `{"model":"embedded","input":"x","metadata":${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}}`;
    for (const body of [badUtf8, deep, deepObjects])
      expect((await send("/v1/responses", body)).status).toBe(400);
    for (const number of ["1e999", "-1e999", "1e308", "-1", "0.5", "99999999999999999999"]) {
      for (const field of ["max_output_tokens", "temperature", "top_p", "top_logprobs", "presence_penalty"]) {
        const body = `{"model":"embedded","input":"Hi","${field}":${number}}`;
        const response = await send("/v1/responses", body);
        expect(response.status).toBeOneOf([200, 400]);
        await response.text();
      }
    }
  });

  test("ids with anything in them are not found", async () => {
    for (const id of [
      "%00",
      "%ED%A0%80",
      "%FF",
      "..%2f..%2fetc",
      "a%20b",
      "'",
      "x".repeat(5000),
      "%F0%9F%98%80",
    ]) {
      for (const [method, path] of [
        ["GET", id],
        ["GET", `${id}?stream=true`],
        ["GET", `${id}/input_items`],
        ["DELETE", id],
        ["POST", `${id}/cancel`],
      ]) {
        const response = await patient.fetch(
          new Request(`http://localhost/v1/responses/${path}`, { method }),
        );
        expect(response.status).toBeOneOf([400, 404, 405]);
      }
    }
  });
});
