// What flows from the engine to one consumer: an async iterator with a bounded buffer. The engine asks `isFull` before
// it makes more; the consumer starts the work with its first read and ends it by leaving. Knows nothing of tokens.
//
// Not an async generator: a generator's `return` waits for the pending `next`, so that a consumer which leaves while it
// waits (a cancelled HTTP response) would keep its place until the next token.

export interface EventStream<T> extends AsyncIterableIterator<T, undefined> {
  /** True from the moment when `limit` values wait to be read until half of them are. */
  readonly isFull: boolean;
  push(value: T): void;
  /** No more values follow those pushed. */
  end(): void;
  /** The consumer gets what was pushed, then this error. */
  fail(error: unknown): void;
}

export interface EventStreamOptions {
  /** Values that may wait to be read. */
  readonly limit: number;
  /** Called by the first read; what it throws is what that read throws. */
  readonly onStart: () => void;
  /** The buffer has emptied enough for more. */
  readonly onRoom: () => void;
  /** The consumer left before the end. */
  readonly onLeave: () => void;
}

interface Reader<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

export function createEventStream<T>({
  limit,
  onStart,
  onRoom,
  onLeave,
}: EventStreamOptions): EventStream<T> {
  const buffer: T[] = [];
  const readers: Reader<T>[] = [];
  let state: "unread" | "open" | "ended" = "unread";
  let failure: { readonly error: unknown } | undefined;
  let isFull = false;

  const done = { done: true, value: undefined } as const;

  function close(error?: { readonly error: unknown }): void {
    if (state === "ended") return;
    state = "ended";
    failure = error;
    for (const reader of readers.splice(0)) {
      if (failure === undefined) reader.resolve(done);
      else reader.reject(failure.error);
      failure = undefined; // told once
    }
  }

  function start(): void {
    state = "open";
    try {
      onStart();
    } catch (error) {
      close({ error });
    }
  }

  return {
    get isFull() {
      return isFull;
    },
    push(value) {
      if (state === "ended") return;
      const reader = readers.shift();
      if (reader !== undefined) return reader.resolve({ done: false, value });
      buffer.push(value);
      if (buffer.length >= limit) isFull = true;
    },
    end: () => close(),
    fail: (error) => close({ error }),
    async next() {
      if (state === "unread") start();
      if (buffer.length > 0) {
        const value = buffer.shift() as T;
        if (isFull && buffer.length <= limit / 2) {
          isFull = false;
          if (state === "open") onRoom();
        }
        return { done: false, value };
      }
      if (failure !== undefined) {
        const { error } = failure;
        failure = undefined;
        throw error;
      }
      if (state === "ended") return done;
      return new Promise((resolve, reject) => readers.push({ resolve, reject }));
    },
    async return() {
      const isLeaving = state === "open";
      buffer.length = 0;
      failure = undefined;
      close();
      if (isLeaving) onLeave();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
