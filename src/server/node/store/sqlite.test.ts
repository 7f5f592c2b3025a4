import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { response, storeCases } from "../../store/testing/store-cases.ts";
import { openStore } from "./open-store.ts";
import { openSqlite } from "./sqlite.ts";
import { makeFormat1 } from "./testing/format-1.ts";

const root = mkdtempSync(join(tmpdir(), "gpt-oss-store-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
const newFolder = (): string => join(root, `store-${++count}`, "made", "on", "the", "way");
let last = "";

storeCases({
  name: "SQLite in a folder",
  fresh: (options) => openStore((last = newFolder()), options),
  again: (options) => openStore(last, options),
  runs: 40,
});

test("what was put is there after the store is opened again", async () => {
  const folder = newFolder();
  const before = await openStore(folder);
  await before.put(response("a"));
  await before.close();
  const after = await openStore(`file://${folder}`);
  expect(await after.of().get("a")).toEqual(response("a"));
  await after.close();
});

test("nobody else on the machine may read the files", async () => {
  const folder = newFolder();
  const store = await openStore(folder);
  await store.put(response("a"));
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const files = readdirSync(folder);
  expect(files).toContain("responses.db-wal");
  for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
  await store.close();
});

test("a cut file, an overwritten one and one that is no database are errors with a code", async () => {
  const source = newFolder();
  const store = await openStore(source);
  for (let index = 0; index < 50; index++) await store.put(response(`r${index}`, { body: "x".repeat(3000) }));
  await store.close();
  const whole = readFileSync(join(source, "responses.db"));
  expect(whole.length).toBeGreaterThan(150_000);

  const damages: Readonly<Record<string, Uint8Array>> = {
    cut: whole.subarray(0, 20 * 4096),
    cutInAPage: whole.subarray(0, 20 * 4096 + 100),
    overwritten: Buffer.concat([whole.subarray(0, 9 * 4096), Buffer.alloc(whole.length - 9 * 4096, 0xab)]),
    headerOverwritten: Buffer.concat([Buffer.alloc(4096, 0xab), whole.subarray(4096)]),
    text: Buffer.from("not a database, and long enough to be looked at ".repeat(200)),
  };
  for (const [damage, bytes] of Object.entries(damages)) {
    const folder = newFolder();
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "responses.db"), bytes);
    const readAll = async (): Promise<void> => {
      const damaged = await openStore(folder);
      try {
        for (let index = 0; index < 50; index++) await damaged.of().get(`r${index}`);
      } finally {
        await damaged.close();
      }
    };
    await expect(readAll(), damage).rejects.toMatchObject({ code: "server/store-damaged" });
  }
});

test("a place that cannot be written to is an error with a code", async () => {
  const folder = join(root, "a-file");
  writeFileSync(folder, "here is a file");
  await expect(openStore(folder)).rejects.toMatchObject({ code: "server/store-unavailable" });
  await expect(openStore(join(folder, "inside"))).rejects.toMatchObject({ code: "server/store-unavailable" });
});

// Root may write anywhere, so that this says something for other users only.
test.skipIf(process.getuid?.() === 0)("a folder that is read-only is an error with a code", async () => {
  const folder = newFolder();
  await (await openStore(folder)).close();
  chmodSync(join(folder, "responses.db"), 0o400);
  chmodSync(folder, 0o500);
  await expect(openStore(folder)).rejects.toMatchObject({ code: "server/store-unavailable" });
  chmodSync(folder, 0o700);
});

test("a store of the first format is taken over: what it holds belongs to no key", async () => {
  const folder = newFolder();
  const database = openSqlite(folder);
  await makeFormat1(database, response("a"));
  await database.close();
  for (let opened = 1; opened <= 2; opened++) {
    const store = await openStore(folder);
    expect(await store.of().get("a")).toEqual(response("a"));
    expect(await store.of().findItem("out_a")).toBeDefined();
    expect(await store.of("alice").get("a")).toBeUndefined();
    await store.put(response("b", { keyName: "alice" }));
    expect(await store.of("alice").get("b")).toBeDefined();
    await store.close();
  }
});

test("a store of a later format is refused, not guessed at", async () => {
  const folder = newFolder();
  await (await openStore(folder)).close();
  const database = openSqlite(folder);
  await database.run([{ sql: "update gpt_oss_store set format = 99", values: [] }]);
  await database.close();
  await expect(openStore(folder)).rejects.toMatchObject({ code: "server/bad-store" });
});

test("places that are no store are refused", async () => {
  for (const place of ["", "mysql://localhost/db", "redis://localhost", "postgres://[bad"]) {
    await expect(openStore(place)).rejects.toMatchObject({ code: "server/bad-store" });
  }
});
