// The side of the port on which the engine is: requests come in as messages, and what every step gives goes out as one.
// Knows any `Engine`; what a port is made of, and who is at its other end, is not its business.

import { errorToWire, type WireError } from "../../base/index.ts";
import type { Engine, GenerateEvent, GenerateRequest } from "../engine.ts";
import {
  type EnginePort,
  type FromEngine,
  listen,
  type StreamProgress,
  type ToEngine,
  toWire,
  type WireEvent,
} from "./protocol.ts";

/** One request that is being read. */
interface Stream {
  readonly controller: AbortController;
  readonly events: AsyncIterator<GenerateEvent>;
  /** Events that may still be read. */
  credit: number;
  /** Set while reading waits for credit. */
  resume: (() => void) | undefined;
  isLeft: boolean;
  isOver: Promise<void>;
}

const statusEveryMs = 50;

/** Resolves once the other side asked to close, and the engine is closed. */
export function serveEngine(engine: Engine, port: EnginePort): Promise<void> {
  const { contextLength, vocabularySize } = engine;
  const streams = new Map<number, Stream>();
  const post = (message: FromEngine): void => port.postMessage(message);
  let toldAt = 0;
  const outbox = createOutbox((parts) => {
    const now = performance.now();
    const isDue = streams.size === 0 || parts.some(endsIn) || now - toldAt > statusEveryMs;
    if (isDue) toldAt = now;
    post({ type: "progress", streams: parts, ...(isDue && { status: engine.status() }) });
  });

  function open(id: number, request: Omit<GenerateRequest, "signal">, credit: number): void {
    const controller = new AbortController();
    const events = engine.generate({ ...request, signal: controller.signal })[Symbol.asyncIterator]();
    const stream: Stream = {
      controller,
      events,
      credit,
      resume: undefined,
      isLeft: false,
      isOver: Promise.resolve(),
    };
    streams.set(id, stream);
    stream.isOver = pump(id, stream);
  }

  async function pump(id: number, stream: Stream): Promise<void> {
    try {
      for (;;) {
        if (stream.credit === 0) await new Promise<void>((resolve) => (stream.resume = resolve));
        const { done, value } = await stream.events.next();
        if (stream.isLeft) return;
        if (done) return outbox.end(id);
        stream.credit--;
        outbox.add(id, toWire(value));
      }
    } catch (error) {
      if (!stream.isLeft) outbox.end(id, errorToWire(error));
    } finally {
      streams.delete(id);
    }
  }

  async function leave(stream: Stream): Promise<void> {
    stream.isLeft = true;
    stream.resume?.();
    await stream.events.return?.();
    await stream.isOver;
    outbox.touch(); // the place that is free now shows in the status
  }

  async function close(): Promise<void> {
    await engine.close();
    const open = [...streams.values()];
    for (const stream of open) grant(stream, Number.POSITIVE_INFINITY); // to what is left, and why it ends
    await Promise.all(open.map(({ isOver }) => isOver));
    outbox.flush();
    post({ type: "closed", status: engine.status() });
  }

  return new Promise((resolve) => {
    listen<ToEngine>(port, (message) => {
      switch (message.type) {
        case "generate":
          return open(message.id, message.request, message.credit);
        case "credit":
          return grant(streams.get(message.id), message.count);
        case "abort":
          return streams.get(message.id)?.controller.abort();
        case "leave": {
          const stream = streams.get(message.id);
          return stream && void leave(stream);
        }
        case "close":
          return void close().then(resolve);
        default:
          message satisfies never;
      }
    });
    post({ type: "open", contextLength, vocabularySize, status: engine.status() });
  });
}

const endsIn = ({ events }: StreamProgress): boolean =>
  events.some((event) => typeof event === "object" && event.type === "end");

function grant(stream: Stream | undefined, count: number): void {
  if (stream === undefined) return;
  stream.credit += count;
  stream.resume?.();
  stream.resume = undefined;
}

interface Outbox {
  add(id: number, event: WireEvent): void;
  end(id: number, error?: WireError): void;
  /** Something happened, though no stream says so. */
  touch(): void;
  flush(): void;
}

/**
 * Collects what is said within one turn of the event loop's microtasks: a step hands out its tokens in one go, and each
 * stream's reader takes the same number of microtasks to get here.
 */
function createOutbox(send: (parts: readonly StreamProgress[]) => void): Outbox {
  const parts = new Map<number, { id: number; events: WireEvent[]; end?: { error?: WireError } }>();
  let isPlanned = false;

  function flush(): void {
    if (!isPlanned) return;
    isPlanned = false;
    const sent = [...parts.values()];
    parts.clear();
    send(sent);
  }
  function touch(): void {
    if (isPlanned) return;
    isPlanned = true;
    queueMicrotask(flush);
  }
  function partOf(id: number) {
    touch();
    const part = parts.get(id) ?? { id, events: [] };
    parts.set(id, part);
    return part;
  }
  return {
    add: (id, event) => void partOf(id).events.push(event),
    end: (id, error) => {
      partOf(id).end = error === undefined ? {} : { error };
    },
    touch,
    flush,
  };
}
