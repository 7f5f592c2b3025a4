// Server-sent events as a Response. A frame is never split, and frames that are ready together become one write: under
// load a write costs more than what it carries. The next ones are asked for when the client has taken the last, so that
// a slow reader slows the engine down and nothing piles up in between.

import type { Call } from "./context.ts";

/** `event:` and `data:` of one event. */
export const sseFrame = (data: unknown, event?: string): string =>
  `${event === undefined ? "" : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;

export const sseDone = "data: [DONE]\n\n";

/** A comment, which clients skip; keeps proxies from taking a silent stream for a dead one. */
export const ssePing = ": ping\n\n";

const headers = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  // nginx would wait for a buffer to fill
  "x-accel-buffering": "no",
};

export function sseResponse(call: Call, frames: AsyncIterable<string>): Response {
  return new Response(streamOf(call, frames), { headers });
}

/** Texts as a body that is made as fast as it is read. A reader that leaves ends the call. */
export function streamOf(call: Call, texts: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const reader = readTogether(texts);
  const over = call.hold();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const text = await reader.read();
          if (text !== undefined) return controller.enqueue(encoder.encode(text));
          controller.close();
          over();
        } catch (error) {
          over();
          throw error;
        }
      },
      async cancel() {
        // First, because a generator that waits for a token cannot return before it has come.
        call.leave();
        over();
        await reader.leave();
      },
    },
    { highWaterMark: 0 },
  );
}

/** Frames of one write at most: what a slow reader may find waiting for it. */
const framesTogether = 16;

/** Reads a text, with those that are there by the end of the same turn of the event loop. */
function readTogether(texts: AsyncIterable<string>) {
  const iterator = texts[Symbol.asyncIterator]();
  /** Asked for, and not told yet. */
  let next: Promise<IteratorResult<string, unknown>> | undefined;
  return {
    async read(): Promise<string | undefined> {
      const first = await (next ?? iterator.next());
      next = undefined;
      if (first.done) return undefined;
      let text = first.value;
      const turn = endOfTurn();
      for (let frames = 1; frames < framesTogether; frames++) {
        next = iterator.next();
        const more = await Promise.race([next, turn]).catch(() => undefined); // told by the next read
        if (more === undefined || more.done) break;
        text += more.value;
        next = undefined;
      }
      return text;
    },
    leave: async (): Promise<void> => {
      next?.catch(() => {}); // nobody reads it any more
      await iterator.return?.();
    },
  };
}

/** After everything that has already happened was seen. */
const endOfTurn = (): Promise<undefined> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve, undefined);
    else setTimeout(resolve, 0, undefined);
  });

/**
 * The same values, with `beat()` in between whenever there was none for `everyMs`, and up to a quarter longer: one timer
 * for a stream, because one for each value would cost more than most values do.
 */
export function withHeartbeat<T>(
  source: AsyncIterable<T>,
  options: { readonly everyMs: number; readonly beat: () => T },
): AsyncIterableIterator<T, void> {
  const { everyMs, beat } = options;
  const iterator = source[Symbol.asyncIterator]();
  /** Asked of the source, and not told yet. */
  let pending: Promise<IteratorResult<T, unknown>> | undefined;
  let quietSince = Date.now();
  let onQuiet: (() => void) | undefined;
  const timer = setInterval(() => {
    if (Date.now() - quietSince >= everyMs) onQuiet?.();
  }, everyMs / 4);
  const end = { done: true, value: undefined } as const;

  async function next(): Promise<IteratorResult<T, void>> {
    pending ??= iterator.next();
    const asked = pending;
    quietSince = Date.now();
    const result = await new Promise<IteratorResult<T, unknown> | undefined>((resolve, reject) => {
      onQuiet = () => resolve(undefined);
      asked.then(resolve, reject);
    });
    onQuiet = undefined;
    if (result === undefined) return { done: false, value: beat() };
    pending = undefined;
    if (!result.done) return result;
    clearInterval(timer);
    return end;
  }

  return {
    next: () =>
      next().catch((error: unknown) => {
        clearInterval(timer);
        throw error;
      }),
    async return() {
      clearInterval(timer);
      pending?.catch(() => {}); // nobody reads what is still to come
      await iterator.return?.();
      return end;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
