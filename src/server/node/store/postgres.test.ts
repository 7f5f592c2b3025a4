// Over the Postgres wire protocol: PGlite (Postgres in WebAssembly) behind a socket, always; and a real server too
// where GPTOSS_TEST_POSTGRES is the URL of an empty database.

import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { response, storeCases } from "../../store/testing/store-cases.ts";
import { openStore } from "./open-store.ts";
import { openPostgres } from "./postgres.ts";
import { makeFormat1 } from "./testing/format-1.ts";
import { startPostgres } from "./testing/postgres-server.ts";

const pglite = await startPostgres();
afterAll(() => pglite.close());

async function dropTables(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(
    "drop table if exists gpt_oss_events, gpt_oss_items, gpt_oss_responses, gpt_oss_owners, gpt_oss_store",
  );
  await client.end();
}

function postgresCases(name: string, url: string, runs: number): void {
  storeCases({
    name,
    fresh: async (options) => {
      await dropTables(url);
      return openStore(url, options);
    },
    again: (options) => openStore(url, options),
    runs,
  });

  describe(name, () => {
    beforeAll(() => dropTables(url));

    test("processes that start together on an empty database do not collide", async () => {
      const stores = await Promise.all(Array.from({ length: 5 }, () => openStore(url)));
      await stores[0].put(response("a"));
      expect(await stores[4].of().get("a")).toEqual(response("a"));
      await Promise.all(stores.map((store) => store.close()));
    });

    test("a store of the first format is taken over by processes that start together, and belongs to no key", async () => {
      await dropTables(url);
      const database = await openPostgres(url);
      await makeFormat1(database, response("a"));
      await database.close();
      const stores = await Promise.all(Array.from({ length: 4 }, () => openStore(url)));
      expect(await stores[0].of().get("a")).toEqual(response("a"));
      expect(await stores[1].of("alice").get("a")).toBeUndefined();
      await stores[2].put(response("b", { keyName: "alice" }));
      expect(await stores[3].of("alice").get("b")).toBeDefined();
      await Promise.all(stores.map((store) => store.close()));
    });
  });
}

postgresCases("PGlite over a socket", pglite.url, 15);

const realUrl = process.env.GPTOSS_TEST_POSTGRES;
if (realUrl !== undefined) postgresCases("Postgres", realUrl, 40);
else test.skip("Postgres itself: GPTOSS_TEST_POSTGRES is not set", () => {});

test("a database that is not there is an error with a code, and the message holds no password", async () => {
  const opened = openStore("postgres://me:hunter2@127.0.0.1:1/db");
  await expect(opened).rejects.toMatchObject({ code: "server/store-unavailable" });
  const error = await opened.catch((failed: Error) => failed);
  expect(String((error as Error).message)).toContain("127.0.0.1:1/db");
  expect(JSON.stringify([error, String(error)])).not.toContain("hunter2");
});
