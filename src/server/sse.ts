// Server-sent events as a Response. One frame is one chunk and becomes one write; the next one is asked for when the
// client has taken the last, so that a slow reader slows the engine down and nothing piles up in between.

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
  const iterator = texts[Symbol.asyncIterator]();
  const over = call.hold();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await iterator.next();
          if (!done) return controller.enqueue(encoder.encode(value));
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
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/** The same values, with `beat()` in between whenever there was none for `everyMs`. */
export async function* withHeartbeat<T>(
  source: AsyncIterable<T>,
  options: { readonly everyMs: number; readonly beat: () => T },
): AsyncGenerator<T, void> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    while (true) {
      const result = await unlessLate(next, options.everyMs);
      if (result === late) yield options.beat();
      else if (result.done) return;
      else {
        next = iterator.next();
        yield result.value;
      }
    }
  } finally {
    next.catch(() => {}); // nobody reads what is still to come
    await iterator.return?.();
  }
}

const late = Symbol("late");

export async function unlessLate<T>(work: Promise<T>, ms: number): Promise<T | typeof late> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<typeof late>((resolve) => {
    timer = setTimeout(resolve, ms, late);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
