// The place where responses outlive the process that made them. It knows ids, items, ages, sizes, the process that runs
// a response and the key that it was made with; it never reads what an item says, and the wire format is nothing to it:
// `body` comes back as it was put. Here, and nowhere else, callers are kept apart: whoever asks says first who asks.

export type StoredStatus = "queued" | "in_progress" | "completed" | "incomplete" | "failed" | "cancelled";

/** An item as it goes over the wire; the store reads its id only. */
export interface StoredItem {
  readonly id: string;
}

/** Everything here must survive JSON. Item ids may repeat between responses (a client sends items back). */
export interface StoredResponse<Body = unknown, Item extends StoredItem = StoredItem> {
  readonly id: string;
  /** Milliseconds since 1970. What is oldest goes first when the store is full. */
  readonly createdAt: number;
  readonly status: StoredStatus;
  /** The name of the API key that it was made with, whose callers alone see it. Absent on a server without keys. */
  readonly keyName?: string;
  readonly input: readonly Item[];
  readonly output: readonly Item[];
  /** Whatever else is needed to serve and to continue the response. */
  readonly body: Body;
}

/** One streamed event, kept for replay. */
export interface StoredEvent {
  readonly sequence_number: number;
}

export interface StoreListener {
  /**
   * A response was queued or in progress in a process that is dead. It is this process's now and is told to nobody
   * else: put it as failed.
   */
  readonly abandoned: (response: StoredResponse) => void;
  /** Somebody, perhaps in another process, asked to cancel a response that runs in this one. */
  readonly cancelled: (id: string) => void;
}

/** What a store keeps at most; what is oldest goes first, but never what still runs. */
export interface StoreLimits {
  /** Default 10,000. */
  readonly maxResponses?: number;
  /** Default 1 GiB of JSON. */
  readonly maxBytes?: number;
  /** Default 30 days, in milliseconds. */
  readonly maxAgeMs?: number;
}

/** What callers with one key see. What was made with another key, or with none, is not there for them. */
export interface OwnResponses {
  /** Undefined also when it is too old. */
  get(id: string): Promise<StoredResponse | undefined>;
  /** False where there was none. Its items and events go too. */
  delete(id: string): Promise<boolean>;
  /** An item of any response kept here, input or output, the one put last. */
  findItem(itemId: string): Promise<StoredItem | undefined>;
  /** Events after a sequence number, ascending; at most `limit` (default 1000). */
  events(id: string, after: number, limit?: number): Promise<readonly StoredEvent[]>;
  /** Tells the process where the response runs, within a second. False where it does not run. */
  requestCancel(id: string): Promise<boolean>;
}

/** Errors: server/store-unavailable, server/store-full, server/store-damaged, server/store-closed. */
export interface ResponseStore {
  /**
   * Keeps a response, whole; one of the same id is replaced. Durable when resolved. A response put as queued or in
   * progress belongs to this process until it is put with another status; what has ended stays ended (a later put as
   * queued or in progress is ignored). False where it was ignored or where the response was deleted meanwhile.
   */
  put(response: StoredResponse): Promise<boolean>;
  /** Keeps events of a response that was put; ascending. Events of one that is gone are dropped. */
  appendEvents(id: string, events: readonly StoredEvent[]): Promise<void>;
  /** The only way to what is kept: that of callers with this key, or, without a name, of callers without a key. */
  of(keyName?: string): OwnResponses;
  /** One listener at a time. It hears at once of what was abandoned before. Returns a function that ends it. */
  watch(listener: StoreListener): () => void;
  /** Enforces the limits now; a store also does so itself as it goes. Returns how many responses went. */
  sweep(): Promise<number>;
  /** Lets go of files and connections. What this process left running counts as abandoned from here on. */
  close(): Promise<void>;
}
