// The store over a database: ids that any database can hold, what belongs to this process, and the beat on which it
// renews its lease, hears of cancellations and finds what dead processes left. The SQL is in statements.ts.

import { createHash, randomUUID } from "node:crypto";
import { completeLimits } from "../../store/limits.ts";
import { byteLength, fromText, isRunning, itemOf, toText } from "../../store/record.ts";
import type {
  OwnResponses,
  ResponseStore,
  StoredEvent,
  StoreLimits,
  StoreListener,
} from "../../store/store.ts";
import type { Database, Statement } from "./database.ts";
import { badStore } from "./errors.ts";
import { createLease, type Lease } from "./lease.ts";
import { createTables, statements, storeFormat, upgrades } from "./statements.ts";

/** How long a request to cancel takes to be heard in another process. */
const beatMs = 500;
const beatsPerRenewal = 8;

/** Looking for what is too much costs as much as there is, so that a large store does so once in so many puts. */
const putsPerSweep = 200;
const bytesOfLargeStore = 1_000_000;

export interface SqlStoreOptions {
  readonly limits?: StoreLimits;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export async function createSqlStore(
  database: Database,
  { limits, now = Date.now }: SqlStoreOptions = {},
): Promise<ResponseStore> {
  const { maxResponses, maxBytes, maxAgeMs } = completeLimits(limits);
  const sql = statements(database.dialect);
  await prepareTables(database, sql.format);
  const lease = createLease(database, sql);
  await lease.renew();

  /** What this process put as running and has not put as ended: ids by their keys. */
  const running = new Map<string, string>();
  let listener: StoreListener | undefined;
  let lastPut = 0;
  // A sweep leaves room for what is put until the next one, so that the limits hold in between.
  const spareResponses = Math.floor(maxResponses / putsPerSweep);
  const spareBytes = maxBytes < bytesOfLargeStore ? 0 : Math.floor(maxBytes / putsPerSweep);
  const sinceSweep = { puts: 0, bytes: 0 };

  const oldest = (): number => now() - maxAgeMs;
  const one = async (text: string, ...values: Statement["values"]) => {
    const [rows = []] = await database.run([{ sql: text, values }]);
    return rows;
  };
  const limitStatements = (): readonly Statement[] => {
    sinceSweep.puts = 0;
    sinceSweep.bytes = 0;
    return [
      { sql: sql.dropOld, values: [oldest()] },
      { sql: sql.dropExcess, values: [maxResponses - spareResponses, maxBytes - spareBytes] },
    ];
  };
  const isSweepDue = (bytes: number): boolean => {
    sinceSweep.puts++;
    sinceSweep.bytes += bytes;
    return sinceSweep.puts > spareResponses || sinceSweep.bytes > spareBytes;
  };

  const claim = async (): Promise<void> => {
    await lease.endDead();
    for (const row of await one(sql.claimAbandoned, lease.owner)) {
      const response = fromText(String(row.record));
      running.set(toKey(response.id), response.id);
      listener?.abandoned(response);
    }
  };
  const hearCancels = async (): Promise<void> => {
    if (running.size === 0) return;
    for (const row of await one(sql.takeCancels, lease.owner)) {
      const id = running.get(String(row.id));
      if (id !== undefined) listener?.cancelled(id);
    }
  };
  const beat = startBeat(lease, { hearCancels, claim: async () => (listener ? claim() : undefined) });

  const of = (name?: string): OwnResponses => {
    const keyName = name ?? null;
    return {
      get: async (id) => {
        const [row] = await one(sql.get, toKey(id), oldest(), keyName);
        return row && fromText(String(row.record));
      },
      delete: async (id) => (await one(sql.delete, toKey(id), oldest(), keyName)).length > 0,
      findItem: async (itemId) => {
        const [row] = await one(sql.findItem, toKey(itemId), oldest(), keyName);
        return row && itemOf(fromText(String(row.record)), itemId);
      },
      events: async (id, after, limit = 1000) => {
        const rows = await one(sql.events, toKey(id), after, limit, keyName);
        const events = rows.flatMap((row) => JSON.parse(String(row.chunk)) as StoredEvent[]);
        return events.filter((event) => event.sequence_number > after).slice(0, limit);
      },
      requestCancel: async (id) => {
        const [row] = await one(sql.requestCancel, toKey(id), keyName);
        if (row?.owner === lease.owner) await hearCancels();
        return row !== undefined;
      },
    };
  };

  return {
    put: async (response) => {
      const { text, bytes, itemIds } = toText(response, maxBytes);
      const key = toKey(response.id);
      const isStillRunning = isRunning(response.status);
      const wasRunning = running.has(key);
      if (isStillRunning) running.set(key, response.id);
      lastPut = Math.max(now(), lastPut + 1); // so that the newest is the one put last
      const version = randomUUID();
      const me = lease.owner;
      const keyName = response.keyName ?? null;
      const state = [key, isStillRunning ? me : null, lastPut, bytes, version, text];
      const record = [...state, wasRunning ? me : null, keyName];
      const [put = []] = await database.run([
        { sql: sql.put, values: record },
        { sql: sql.forgetItems, values: [key, version] },
        { sql: sql.putItems, values: [key, version, JSON.stringify(itemIds.map(toKey))] },
        ...(isSweepDue(bytes) ? limitStatements() : []),
      ]);
      if (!isStillRunning || put.length === 0) running.delete(key);
      return put.length > 0;
    },
    appendEvents: async (id, events) => {
      const [first, last] = [events[0], events.at(-1)];
      if (!first || !last) return;
      const chunk = JSON.stringify(events);
      const range = [first.sequence_number, last.sequence_number];
      await database.run([
        { sql: sql.putEvents, values: [toKey(id), ...range, chunk] },
        { sql: sql.countEvents, values: [toKey(id), byteLength(chunk)] },
      ]);
    },
    of,
    watch: (next) => {
      listener = next;
      beat.claimNow();
      return () => {
        if (listener === next) listener = undefined;
      };
    },
    sweep: async () => {
      const dropped = await database.run(limitStatements());
      return dropped.flat().length;
    },
    close: async () => {
      await beat.stop();
      await lease.end().catch(() => {}); // it runs out by itself where the database is gone
      await database.close();
    },
  };
}

async function prepareTables(database: Database, formatQuery: string): Promise<void> {
  const { lockSchema } = database.dialect;
  const run = (batch: readonly string[]) => database.run(batch.map((sql) => ({ sql, values: [] })));
  const readFormat = async (): Promise<number> => {
    const [[row] = []] = await run([formatQuery]);
    return Number(row?.format);
  };
  await run(createTables(database.dialect));
  let format = await readFormat();
  for (let upgrade = upgrades[format]; upgrade; upgrade = upgrades[format]) {
    const before = format;
    const failed = await run([...(lockSchema === undefined ? [] : [lockSchema]), ...upgrade]).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    format = await readFormat();
    // Another process that starts now may have been first.
    if (failed && format === before) throw failed.error;
  }
  if (format !== storeFormat) {
    throw badStore(
      `the store has format ${format}, this version of gpt-oss knows ${storeFormat}`,
      "use the version that made it, or another place for the store",
    );
  }
}

/**
 * Ids come from clients too, and no database holds every string: Postgres refuses NUL and long keys, SQLite ends at
 * NUL, both change half surrogates. Such ids are kept by their hash; ordinary ones as they are.
 */
const isOrdinary = (id: string): boolean => /^[\x21-\x7e]{1,128}$/.test(id) && !id.startsWith(hashMark);
const hashMark = "sha256:";
const toKey = (id: string): string =>
  isOrdinary(id) ? id : hashMark + createHash("sha256").update(id, "utf16le").digest("hex");

interface BeatWork {
  readonly hearCancels: () => Promise<void>;
  readonly claim: () => Promise<void>;
}

/** What a process does for its responses as long as it lives. What fails here fails again where somebody waits for it. */
function startBeat(lease: Lease, { hearCancels, claim }: BeatWork) {
  let beats = 0;
  let isClaimDue = false;
  let isWorking = false;
  let isStopped = false;
  let timer: NodeJS.Timeout | undefined;
  let current: Promise<void> = Promise.resolve();

  const work = async (): Promise<void> => {
    beats++;
    const isRenewal = beats % beatsPerRenewal === 0;
    const shallClaim = isClaimDue || isRenewal;
    isClaimDue = false;
    if (isRenewal) await lease.renew();
    await hearCancels();
    if (shallClaim) await claim();
  };
  const next = (delayMs: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      isWorking = true;
      current = work()
        .catch(() => {})
        .finally(() => {
          isWorking = false;
          if (!isStopped) next(isClaimDue ? 0 : beatMs);
        });
    }, delayMs);
    timer.unref();
  };
  next(beatMs);
  return {
    claimNow: () => {
      isClaimDue = true;
      if (!isWorking) next(0);
    },
    stop: async () => {
      isStopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}
