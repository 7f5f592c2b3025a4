// Responses kept in memory: for servers that should forget, and the plainest form of what every store does. It keeps
// text, not objects, so that what was put cannot change afterwards and its size is known.

import { completeLimits } from "./limits.ts";
import { byteLength, closedError, fromText, isRunning, itemOf, toText } from "./record.ts";
import type { OwnResponses, ResponseStore, StoredEvent, StoreLimits, StoreListener } from "./store.ts";

export interface MemoryStoreOptions {
  readonly limits?: StoreLimits;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

interface Kept {
  readonly text: string;
  readonly keyName: string | undefined;
  readonly itemIds: readonly string[];
  readonly running: boolean;
  readonly putAt: number;
  readonly events: StoredEvent[];
  /** Of the text and the events. */
  bytes: number;
}

export function createMemoryStore({ limits, now = Date.now }: MemoryStoreOptions = {}): ResponseStore {
  const { maxResponses, maxBytes, maxAgeMs } = completeLimits(limits);
  /** Oldest put first. */
  const kept = new Map<string, Kept>();
  /** Responses that were deleted while they ran; what is still put for them is ignored. */
  const deletedRunning = new Set<string>();
  let totalBytes = 0;
  let listener: StoreListener | undefined;
  let isClosed = false;

  const remove = (id: string): void => {
    totalBytes -= kept.get(id)?.bytes ?? 0;
    kept.delete(id);
  };
  const isTooOld = ({ putAt, running }: Kept): boolean => !running && now() - putAt > maxAgeMs;
  const sweep = (): number => {
    const before = kept.size;
    for (const [id, entry] of kept) {
      const isExcess = kept.size > maxResponses || totalBytes > maxBytes;
      if (!entry.running && (isExcess || isTooOld(entry))) remove(id);
    }
    return before - kept.size;
  };
  /** So that a failure is a rejection, as it is in every other store. */
  const open = async <T>(work: () => T): Promise<T> => {
    if (isClosed) throw closedError();
    return work();
  };

  const of = (keyName?: string): OwnResponses => {
    const isSeen = (entry: Kept): boolean => entry.keyName === keyName && !isTooOld(entry);
    const find = (id: string): Kept | undefined => {
      const entry = kept.get(id);
      return entry && isSeen(entry) ? entry : undefined;
    };
    return {
      get: (id) =>
        open(() => {
          const entry = find(id);
          return entry && fromText(entry.text);
        }),
      delete: (id) =>
        open(() => {
          const entry = find(id);
          if (!entry) return false;
          if (entry.running) deletedRunning.add(id);
          remove(id);
          return true;
        }),
      findItem: (itemId) =>
        open(() => {
          for (const entry of [...kept.values()].reverse()) {
            if (entry.itemIds.includes(itemId) && isSeen(entry)) return itemOf(fromText(entry.text), itemId);
          }
          return undefined;
        }),
      events: (id, after, limit = 1000) =>
        open(() => {
          const events = find(id)?.events ?? [];
          return events.filter((event) => event.sequence_number > after).slice(0, limit);
        }),
      requestCancel: (id) =>
        open(() => {
          if (!find(id)?.running) return false;
          listener?.cancelled(id);
          return true;
        }),
    };
  };

  return {
    put: (response) =>
      open(() => {
        const { id, keyName } = response;
        const running = isRunning(response.status);
        const { text, bytes, itemIds } = toText(response, maxBytes);
        const before = kept.get(id);
        if (deletedRunning.has(id)) {
          if (!running) deletedRunning.delete(id);
          return false;
        }
        if (before && !before.running && running) return false;
        const events = before?.events ?? [];
        const eventBytes = before ? before.bytes - byteLength(before.text) : 0;
        remove(id);
        kept.set(id, { text, keyName, itemIds, running, putAt: now(), events, bytes: bytes + eventBytes });
        totalBytes += bytes + eventBytes;
        sweep();
        return true;
      }),
    appendEvents: (id, events) =>
      open(() => {
        const entry = kept.get(id);
        if (!entry) return;
        const text = JSON.stringify(events);
        const bytes = byteLength(text);
        entry.events.push(...(JSON.parse(text) as StoredEvent[]));
        entry.bytes += bytes;
        totalBytes += bytes;
      }),
    of,
    watch: (next) => {
      listener = next;
      return () => {
        if (listener === next) listener = undefined;
      };
    },
    sweep: () => open(sweep),
    close: async () => {
      isClosed = true;
      kept.clear();
      deletedRunning.clear();
      totalBytes = 0;
    },
  };
}
