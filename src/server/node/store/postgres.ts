// The shared database: Postgres by its URL, through `pg`. Several server processes may use one. Knows nothing of what
// it keeps; never lets the URL, which may hold a password, into a message.

import pg from "pg";
import { GptOssError } from "../../../base/index.ts";
import { closedError } from "../../store/record.ts";
import type { Database, Row, Statement } from "./database.ts";
import { damaged, full, unavailable } from "./errors.ts";

const connections = 8;
const connectMs = 10_000;
const statementMs = 30_000;

/** Any number that nobody else in the database uses for a lock. */
const schemaLock = 7_304_117_951;

/** The connection is gone, or the server is going or coming; nothing of the transaction is left. */
const isLost = (code: string): boolean =>
  /^(08|57P0)/.test(code) || ["ECONNRESET", "ECONNREFUSED", "EPIPE"].includes(code);

/** Ended by another transaction (23503: the response was deleted while its events came); it may simply run again. */
const isConflict = (code: string): boolean => ["40001", "40P01", "23503"].includes(code);

export async function openPostgres(url: string): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: url,
    max: connections,
    connectionTimeoutMillis: connectMs,
    query_timeout: statementMs,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
    application_name: "gpt-oss",
  });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on("error", () => {});
  const where = describe(url);
  let isClosed = false;

  const attempt = async (batch: readonly Statement[]): Promise<(readonly Row[])[]> => {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      const rows: (readonly Row[])[] = [];
      const [only] = batch;
      if (batch.length === 1 && only) return [(await client.query(only.sql, [...only.values])).rows];
      await client.query("begin");
      for (const { sql, values } of batch) rows.push((await client.query(sql, [...values])).rows);
      await client.query("commit");
      return rows;
    } catch (error) {
      await client.query("rollback").catch((failed: Error) => {
        broken = failed;
      });
      throw error;
    } finally {
      client.release(broken);
    }
  };

  return {
    dialect: {
      now: "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
      each: (parameter) =>
        `(select value as item from json_array_elements_text(cast(${parameter} as json))) as listed`,
      lockSchema: `select pg_advisory_xact_lock(${schemaLock})`,
    },
    run: async (batch) => {
      for (let tries = 1; ; tries++) {
        if (isClosed) throw closedError();
        try {
          return await attempt(batch);
        } catch (error) {
          const code = codeOf(error);
          if (tries < 4 && (isLost(code) || isConflict(code))) {
            await new Promise((resolve) => setTimeout(resolve, 50 * 4 ** tries));
          } else throw storeError(error, where);
        }
      }
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      await pool.end();
    },
  };
}

function describe(url: string): string {
  const { hostname, port, pathname } = new URL(url);
  return `Postgres at ${hostname || "localhost"}${port && `:${port}`}${pathname}`;
}

function codeOf(error: unknown): string {
  const { code, message = "" } = error as { code?: string; message?: string };
  if (code !== undefined) return code;
  return /connection terminated|connection ended/i.test(message) ? "ECONNRESET" : "";
}

function storeError(error: unknown, where: string): GptOssError {
  if (GptOssError.isInstance(error)) return error;
  const code = codeOf(error);
  const text = `${where}: ${error instanceof Error && error.message !== "" ? error.message : code}`;
  if (code === "53100" || code === "53200" || code === "54000") return full(text, error);
  if (code === "XX001" || code === "XX002") return damaged(text, error);
  return unavailable(text, error);
}
