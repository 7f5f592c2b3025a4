// Pulling from a hub that misbehaves in every way seen in the field: the right bytes, or an error that says what to do.

import { createHash } from "node:crypto";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  type Fault,
  filesIn,
  type LocalHub,
  type LocalHubOptions,
  startLocalHub,
} from "../../testing/local-hub.ts";
import { errorOf } from "../../testing/tiny-model.ts";
import { findModel } from "../local/find-model.ts";
import { openCheckpoint } from "../open.ts";
import { hubEnvironment } from "./environment.ts";
import { type PlanOptions, type PullPlan, place, planPull, pull } from "./pull.ts";

const micro = fileURLToPath(new URL("../../../../models/micro", import.meta.url));
const originalFolder = fileURLToPath(new URL("../../../../test/golden/micro-original", import.meta.url));
const name = { kind: "hub", repository: "openai/gpt-oss-20b" } as const;
const weights = "model-00000-of-00002.safetensors";

/** A repository whose model opens. */
const whole = filesIn(micro)
  .set("README.md", Buffer.from("# not needed\n"))
  .set("metal/model.bin", new Uint8Array(50_000));

/** The same with the beginnings of its weights: what goes wrong on the way is no different with more of them. */
const short = new Map(
  [...whole].map(([file, bytes]) => [
    file,
    file.endsWith(".safetensors") ? bytes.subarray(0, bytes.length / 8) : bytes,
  ]),
);

const original = new Map([...whole, ...filesIn(originalFolder, "original/")]);

const root = mkdtempSync(join(tmpdir(), "gpt-oss-pull-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let hub: LocalHub;
let served: ReadonlyMap<string, Uint8Array>;
let cache: string;
let count = 0;
beforeEach(() => {
  cache = join(root, String(count++));
});
afterEach(() => hub.close());

const start = async (
  options?: LocalHubOptions,
  files: ReadonlyMap<string, Uint8Array> = short,
): Promise<void> => {
  served = files;
  hub = await startLocalHub(files, options);
};

/** Real patience pauses for seconds; a test cannot. But a machine that is busy is not a hub that stalls. */
const patience = { stallMs: 60_000, firstPauseMs: 5, longestPauseMs: 20, tries: 4 };
/** Where the hub does stall. */
const impatient = { ...patience, stallMs: 250 };
const patienceFor = (faults: readonly Fault[]) =>
  faults.some(({ kind }) => kind === "stall") ? impatient : patience;

const plan = (options: PlanOptions & { env?: Record<string, string> } = {}): Promise<PullPlan> => {
  const { env, ...rest } = options;
  const variables = {
    HF_ENDPOINT: hub.endpoint,
    HF_HUB_CACHE: cache,
    HF_TOKEN_PATH: join(cache, "token"),
    ...env,
  };
  return planPull(name, { environment: hubEnvironment(variables), patience, ...rest });
};

const folder = (): string => join(cache, "models--openai--gpt-oss-20b");
const blobs = (): string[] =>
  existsSync(join(folder(), "blobs")) ? readdirSync(join(folder(), "blobs")).sort() : [];
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Every file under its name has the bytes that the hub has. */
function expectRight(path: string): void {
  for (const file of readdirSync(micro))
    expect(readFileSync(join(path, file)).equals(served.get(file)!), file).toBe(true);
}

/** No blob of a large file has bytes other than its name says: what is whole by name is whole. */
function expectNoHalf(): void {
  for (const blob of blobs())
    if (blob.length === 64) expect(sha256(readFileSync(join(folder(), "blobs", blob)))).toBe(blob);
}

describe("a pull", () => {
  test("fetches what is needed, into the layout that Python's tools read, and it opens", async () => {
    await start({}, whole);
    const planned = await plan();
    expect(planned.files.map(({ path }) => path).sort()).toEqual(readdirSync(micro).sort());
    expect(planned.missingBytes).toBe(planned.totalBytes);
    const seen: number[] = [];
    const path = await pull(planned, { onProgress: ({ bytes }) => seen.push(bytes) });
    expectRight(path);
    expect(path).toBe(join(folder(), "snapshots", hub.commit));
    expect(readFileSync(join(folder(), "refs/main"), "utf8")).toBe(hub.commit);
    const link = join(path, weights);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readlinkSync(link)).toBe(`../../blobs/${sha256(readFileSync(link))}`);
    expect(blobs().filter((blob) => blob.endsWith(".incomplete"))).toEqual([]);
    expect(seen.at(-1)).toBe(planned.totalBytes);
    await (await openCheckpoint(await findModel("20b", { HF_HUB_CACHE: cache }))).close();
  });

  test("says the disk and memory it needs before, and fetches nothing to say it", async () => {
    await start({}, whole);
    const { totalBytes, freeBytes, memoryBytes } = await plan();
    expect(totalBytes).toBe(
      readdirSync(micro).reduce((sum, file) => sum + statSync(join(micro, file)).size, 0),
    );
    expect(freeBytes).toBeGreaterThan(1e6);
    expect(memoryBytes).toBeGreaterThan(3.6e6);
    expect(existsSync(cache)).toBe(false);
    expect(hub.seen.filter(({ server }) => server === "content")).toEqual([]);
  });

  test("refuses when the disk has not the room", async () => {
    await start();
    const planned = await plan();
    const files = planned.files.map((file) => ({ ...file, size: file.size + 1e15 }));
    const error = await errorOf(() => pull({ ...planned, files }));
    expect(error.code).toBe("checkpoint/disk-full");
    expect(error.hint).toMatch(/HF_HOME/);
    expect(blobs()).toEqual([]);
  });

  test("again fetches nothing, and a plan of it says so", async () => {
    await start();
    await pull(await plan());
    const before = hub.seen.length;
    const again = await plan();
    expect(again.missingBytes).toBe(0);
    await pull(again);
    expect(hub.seen.slice(before).filter(({ server }) => server === "content")).toEqual([]);
  });

  test("of the original layout fetches original/, and it opens", async () => {
    await start({}, original);
    const path = await pull(await plan({ layout: "original" }));
    expect(existsSync(join(path, weights))).toBe(false);
    const checkpoint = await openCheckpoint(path);
    expect(checkpoint.layout).toBe("original");
    await checkpoint.close();
  });

  test("gives the token to the hub and to no other host", async () => {
    await start();
    hub.token = "hf_secret";
    mkdirSync(cache);
    writeFileSync(join(cache, "token"), "hf_secret\n");
    expectRight(await pull(await plan()));
    const seen = hub.seen;
    expect(seen.some(({ server }) => server === "content")).toBe(true);
    for (const { server, authorization } of seen)
      expect(authorization).toBe(server === "hub" ? "Bearer hf_secret" : undefined);
  });

  test("without links puts the files themselves in place, and finds them there the next time", async () => {
    await start();
    const planned = await plan();
    const path = await pull(planned);
    for (const file of readdirSync(path)) {
      const refusing: typeof import("node:fs/promises").symlink = () =>
        Promise.reject(Object.assign(new Error("not permitted"), { code: "EPERM" }));
      await place(realpathSync(join(path, file)), join(path, file), refusing);
      expect(lstatSync(join(path, file)).isSymbolicLink()).toBe(false);
    }
    expect(blobs()).toEqual([]);
    expect((await plan()).missingBytes).toBe(0);
    await pull(await plan());
    expectRight(path);
    const damaged = new Uint8Array(readFileSync(join(path, weights)));
    damaged[1000] ^= 1;
    writeFileSync(join(path, weights), damaged);
    const { files, ...checked } = await plan({ check: true });
    const { size, hash } = files.find((file) => file.path === weights)!;
    expect([checked.damaged, checked.missingBytes]).toEqual([[hash.hex], size]);
    await pull({ files, ...checked });
    expectRight(path);
  });
});

describe("gets the right bytes through", () => {
  const trouble: readonly [string, readonly Fault[], RegExp][] = [
    ["a cut", [{ kind: "cut", after: 125_000 }], /cut|ended|closed/],
    [
      "many cuts",
      Array.from({ length: 9 }, () => ({ kind: "cut", after: 25_000 }) as const),
      /cut|ended|closed/,
    ],
    ["a stall", [{ kind: "stall", after: 60_000 }], /nothing came/],
    ["a stall before the first byte", [{ kind: "stall", after: 0 }], /nothing came/],
    ["a length too small", [{ kind: "length", bytes: 1000 }], /1000 bytes/],
    ["a length too large", [{ kind: "length", bytes: 9e6 }], /9000000 bytes/],
    [
      "an answer without the range",
      [{ kind: "cut", after: 90_000 }, { kind: "no-range" }],
      /cut|ended|closed/,
    ],
    ["an answer with another range", [{ kind: "cut", after: 90_000 }, { kind: "wrong-range" }], /range/],
    ["500 and 503", [500, 503].map((status) => ({ kind: "status", status }) as const), /answered 50/],
    ["429", [{ kind: "status", status: 429, headers: { "retry-after": "0" } }], /answered 429/],
    ["a signature that ran out", [{ kind: "status", status: 403 }], /answered 403/],
  ];
  for (const [what, faults, said] of trouble) {
    test(what, async () => {
      await start();
      hub.fail(weights, faults);
      const troubles: string[] = [];
      const planned = await plan({ patience: patienceFor(faults) });
      expectRight(await pull(planned, { onTrouble: (message) => troubles.push(message) }));
      expect(troubles.length).toBeGreaterThanOrEqual(1);
      expect(troubles.join("\n")).toMatch(said);
    });
  }

  test("more bytes than the file has", async () => {
    await start();
    hub.fail(weights, [{ kind: "more", bytes: 5000 }]);
    expectRight(await pull(await plan()));
  });

  test("trouble in the listing and with small files", async () => {
    await start();
    hub.fail("/revision/main", [{ kind: "status", status: 502 }]);
    hub.fail(`/tree/${hub.commit}`, [{ kind: "status", status: 500 }]);
    const planned = await plan({ patience: impatient });
    hub.fail("config.json", [
      { kind: "cut", after: 100 },
      { kind: "stall", after: 5 },
    ]);
    expectRight(await pull(planned));
  });

  test("waits as long as Retry-After says", async () => {
    await start();
    hub.fail(weights, [{ kind: "status", status: 429, headers: { "retry-after": "1" } }]);
    const begun = performance.now();
    expectRight(await pull(await plan()));
    expect(performance.now() - begun).toBeGreaterThan(990);
  });
});

describe("stops with a coded error and a hint, and no half file, at", () => {
  const refusals: readonly [string, string, Fault, string, RegExp][] = [
    ["401", "/revision/main", { kind: "status", status: 401 }, "hub-unauthorized", /HF_TOKEN/],
    ["403", "/revision/main", { kind: "status", status: 403 }, "hub-forbidden", /conditions/],
    ["404", "/revision/main", { kind: "status", status: 404 }, "hub-not-found", /name and revision/],
    ["429 for good", "/revision/main", { kind: "status", status: 429 }, "hub-busy", /too many/],
    [
      "429 for an hour",
      "/revision/main",
      { kind: "status", status: 429, headers: { "retry-after": "3600" } },
      "hub-busy",
      /too many/,
    ],
    ["500 for good", "/revision/main", { kind: "status", status: 500 }, "hub-unreachable", /connection/],
    [
      "a page in place of the API",
      "/revision/main",
      { kind: "text", text: "<html>" },
      "hub-bad-answer",
      /proxy/,
    ],
    [
      "a listing of nonsense",
      "hub-tree",
      { kind: "text", text: '[{"type":"file","path":"../../x","size":1,"oid":"1"}]' },
      "hub-bad-answer",
      /hub/,
    ],
    ["a listing that is no list", "hub-tree", { kind: "text", text: "7" }, "hub-bad-answer", /hub/],
    [
      "redirects in a circle",
      "/revision/main",
      { kind: "redirect", to: "/a/revision/main" },
      "hub-bad-answer",
      /hub/,
    ],
    [
      "a redirect to no address",
      "/revision/main",
      { kind: "redirect", to: "file:///etc/passwd" },
      "hub-bad-answer",
      /hub/,
    ],
    ["a wrong hash", weights, { kind: "spoil" }, "wrong-hash", /pull again/],
    ["a wrong length for good", weights, { kind: "length", bytes: 77 }, "hub-bad-answer", /proxy/],
    ["cuts without a byte", weights, { kind: "cut", after: 0 }, "hub-unreachable", /kept/],
    ["stalls for good", weights, { kind: "stall", after: 0 }, "hub-unreachable", /kept/],
    [
      "a config of another architecture",
      "/config.json",
      { kind: "text", text: '{"model_type":"llama"}' },
      "bad-config",
      /gpt-oss/,
    ],
  ];
  for (const [what, path, fault, code, hint] of refusals) {
    test(what, async () => {
      await start();
      hub.failAlways(path === "hub-tree" ? `/tree/${hub.commit}` : path, fault);
      const error = await errorOf(async () => pull(await plan({ patience: patienceFor([fault]) })));
      expect(error.code).toBe(`checkpoint/${code}`);
      expect(error.hint).toMatch(hint);
      expectNoHalf();
      expect(existsSync(join(folder(), "refs/main"))).toBe(false);
      expect((await errorOf(() => findModel("20b", { HF_HUB_CACHE: cache }))).code).toBe(
        "checkpoint/not-pulled",
      );
    });
  }

  test("HF_HUB_OFFLINE, without a request", async () => {
    await start();
    expect((await errorOf(() => plan({ env: { HF_HUB_OFFLINE: "1" } }))).code).toBe("checkpoint/hub-offline");
    expect(hub.seen).toEqual([]);
  });

  test("a hub that is not there", async () => {
    await start();
    const error = await errorOf(() => plan({ env: { HF_ENDPOINT: "http://127.0.0.1:1" } }));
    expect(error.code).toBe("checkpoint/hub-unreachable");
    expect((await errorOf(() => plan({ env: { HF_ENDPOINT: "nonsense" } }))).code).toBe(
      "checkpoint/hub-unreachable",
    );
  });

  test("a token that is not the hub's", async () => {
    await start();
    hub.token = "hf_right";
    expect((await errorOf(() => plan({ env: { HF_TOKEN: "hf_wrong" } }))).code).toBe(
      "checkpoint/hub-unauthorized",
    );
  });
});

describe("continues", () => {
  const resumed = (): (string | undefined)[] =>
    hub.seen
      .filter(({ path }) => path === weights)
      .map(({ range }) => range)
      .filter(Boolean);

  test("after an abort, from the byte where it was", async () => {
    await start();
    hub.fail(weights, [{ kind: "stall", after: 200_000 }]); // so that it is still on its way, however late the abort
    const controller = new AbortController();
    const planned = await plan();
    const { hash } = planned.files.find(({ path }) => path === weights)!;
    const partial = join(folder(), "blobs", `${hash.hex}.gpt-oss.incomplete`);
    const running = pull(planned, { signal: controller.signal });
    const fetched = (): number => (existsSync(partial) ? statSync(partial).size : 0);
    await vi.waitFor(() => expect(fetched()).toBeGreaterThanOrEqual(100_000), { timeout: 20_000 });
    controller.abort();
    await expect(running).rejects.toThrow(/abort/i);
    expectNoHalf();
    const again = await plan();
    expect(again.missingBytes).toBeLessThanOrEqual(again.totalBytes - 100_000);
    expectRight(await pull(again));
    expect(resumed()).toHaveLength(1);
  });

  test("from a partial file that was damaged, by beginning anew", async () => {
    await start();
    const planned = await plan();
    const { hash } = planned.files.find(({ path }) => path === weights)!;
    mkdirSync(join(folder(), "blobs"), { recursive: true });
    writeFileSync(join(folder(), "blobs", `${hash.hex}.gpt-oss.incomplete`), new Uint8Array(100_000));
    expectRight(await pull(planned));
    expect(resumed()).toEqual(["bytes=100000-"]);
  });

  test("from a partial file that is longer than the file, by beginning anew", async () => {
    await start();
    const planned = await plan();
    const { hash, size } = planned.files.find(({ path }) => path === weights)!;
    mkdirSync(join(folder(), "blobs"), { recursive: true });
    writeFileSync(join(folder(), "blobs", `${hash.hex}.gpt-oss.incomplete`), new Uint8Array(size + 1));
    expectRight(await pull(planned));
  });
});

describe("two pulls of one model", () => {
  test("run one after the other, and the second fetches nothing", async () => {
    await start({ pauseMs: 1 });
    const [one, two] = [await plan(), await plan()];
    const troubles: string[] = [];
    const options = { onTrouble: (message: string) => troubles.push(message) };
    await Promise.all([pull(one, options), pull(two, options)]);
    expect(troubles.filter((message) => /another pull/.test(message))).toHaveLength(1);
    const fetched = hub.seen.filter(({ server }) => server === "content").map(({ path }) => path);
    expect(fetched.length).toBe(new Set(fetched).size);
    expectRight(one.path);
  });
});
