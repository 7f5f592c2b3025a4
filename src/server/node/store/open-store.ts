// One word, folder or URL to a store.

import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createMemoryStore } from "../../store/memory-store.ts";
import type { ResponseStore } from "../../store/store.ts";
import { badStore } from "./errors.ts";
import { openPostgres } from "./postgres.ts";
import { createSqlStore, type SqlStoreOptions } from "./sql-store.ts";
import { openSqlite } from "./sqlite.ts";

/** Where responses are kept where nobody says: the user's own folder for data, shared by this user's servers. */
export function defaultStoreFolder(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const { XDG_DATA_HOME: data } = environment;
  return join(data || join(homedir(), ".local", "share"), "gpt-oss", "responses");
}

/**
 * Opens the store at `place`: `memory`, the URL of a Postgres database (`postgres://…`), or a folder (made where there
 * is none). Errors: server/bad-store, server/store-unavailable, server/store-full, server/store-damaged.
 */
export async function openStore(place: string, options: SqlStoreOptions = {}): Promise<ResponseStore> {
  if (place === "memory") return createMemoryStore(options);
  const [, scheme] = /^([a-z][a-z0-9+.-]+):\/\//i.exec(place) ?? [];
  if (scheme === undefined) {
    if (place === "")
      throw badStore("the store's place is empty", "give memory, a folder, or a postgres:// URL");
    return createSqlStore(openSqlite(place), options);
  }
  if (scheme === "file") return createSqlStore(openSqlite(fileURLToPath(place)), options);
  if (scheme !== "postgres" && scheme !== "postgresql") {
    throw badStore(`there is no store for ${scheme}: URLs`, "give memory, a folder, or a postgres:// URL");
  }
  if (!URL.canParse(place))
    throw badStore("the store's URL cannot be read", "postgres://user:password@host/database");
  const database = await openPostgres(place);
  return createSqlStore(database, options).catch(async (error: unknown) => {
    await database.close();
    throw error;
  });
}
