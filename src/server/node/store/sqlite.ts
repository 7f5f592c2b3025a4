// The embedded database: one SQLite file, through libsql, which carries its binaries. Statements run on the calling
// thread; one takes some microseconds, a response of 5 MB some 20 ms. Knows nothing of what it keeps.

import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "libsql";
import { GptOssError } from "../../../base/index.ts";
import { closedError } from "../../store/record.ts";
import type { Database, Row, Statement } from "./database.ts";
import { damaged, full, unavailable } from "./errors.ts";

const fileName = "responses.db";

/** Milliseconds to wait for another process that writes. */
const busyMs = 5000;

const readsRows = /^\s*select|\breturning\b/i;

export function openSqlite(folder: string): Database {
  const path = join(folder, fileName);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // SQLite gives its journal the mode of the file, so the file is made private before SQLite sees it.
    closeSync(openSync(path, "a", 0o600));
    chmodSync(path, 0o600);
    const sqlite = new Sqlite(path);
    configure(sqlite);
    return createDatabase(sqlite, path);
  } catch (error) {
    throw storeError(error, path);
  }
}

function configure(sqlite: Sqlite.Database): void {
  // A commit in the journal outlives the process (not a power cut until the journal is synced, some seconds later; the
  // file stays whole either way).
  for (const setting of [
    `busy_timeout = ${busyMs}`,
    "journal_mode = wal",
    "synchronous = normal",
    "foreign_keys = on",
    "journal_size_limit = 67108864",
  ]) {
    sqlite.prepare(`pragma ${setting}`).all();
  }
}

function createDatabase(sqlite: Sqlite.Database, path: string): Database {
  // Kept for good: preparing costs, and the binding's statements are safer when never collected.
  const prepared = new Map<string, Sqlite.Statement>();
  let isClosed = false;

  const execute = ({ sql, values }: Statement): readonly Row[] => {
    let statement = prepared.get(sql);
    if (!statement) {
      statement = sqlite.prepare(sql.replaceAll("$", "?"));
      prepared.set(sql, statement);
    }
    if (readsRows.test(sql)) return statement.all(...values) as Row[];
    statement.run(...values);
    return [];
  };

  const transaction = (batch: readonly Statement[]): (readonly Row[])[] => {
    sqlite.exec("begin immediate");
    try {
      const rows = batch.map(execute);
      sqlite.exec("commit");
      return rows;
    } catch (error) {
      // A full disk has ended the transaction already.
      if (sqlite.inTransaction) sqlite.exec("rollback");
      throw error;
    }
  };

  return {
    dialect: {
      now: "cast(unixepoch('subsec') * 1000 as integer)",
      each: (parameter) => `(select value as item from json_each(${parameter})) as listed`,
    },
    run: async (batch) => {
      if (isClosed) throw closedError();
      try {
        const [only] = batch;
        const isRead = batch.length === 1 && only !== undefined && /^\s*select/i.test(only.sql);
        return isRead ? [execute(only)] : transaction(batch);
      } catch (error) {
        throw storeError(error, path);
      }
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      try {
        sqlite.prepare("pragma wal_checkpoint(truncate)").all(); // so that the one file is the whole store
      } finally {
        prepared.clear();
        sqlite.close();
      }
    },
  };
}

function storeError(error: unknown, path: string): GptOssError {
  if (GptOssError.isInstance(error)) return error;
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  const text = `${path}: ${message}`;
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT") return full(text, error);
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") return damaged(text, error);
  return unavailable(text, error);
}
