// The side of the port on which an engine is used: an `Engine` like any other. Streams are read from messages; when the
// other side is gone, every one of them says so, and nothing waits for ever. Knows neither threads nor processes.

import { errorFromWire, GptOssError } from "../../base/index.ts";
import { engineClosed } from "../closed.ts";
import type { Engine, GenerateEvent, GenerateRequest } from "../engine.ts";
import { createEventStream, type EventStream } from "../event-stream.ts";
import { checkSignal } from "../request.ts";
import { idleStatus } from "../status.ts";
import {
  type EnginePort,
  type FromEngine,
  fromWire,
  listen,
  type StreamProgress,
  type ToEngine,
} from "./protocol.ts";

export interface ConnectOptions {
  /** Events of one stream that may be under way or wait for their reader; default 64. */
  readonly maxUnread?: number;
  /** Told when the first request begins, and when none is left: a thread may be let go of in between. */
  readonly onBusy?: (isBusy: boolean) => void;
}

export interface RemoteEngine extends Engine {
  /** The other side is gone: what runs fails with this, and what comes later too. */
  lose(error: Error): void;
}

/**
 * Resolves once the engine at the other end is served; see `serveEngine`.
 *
 * @example
 * const { port1, port2 } = new MessageChannel();
 * const worker = new Worker(script, { workerData: port2, transferList: [port2] }); // calls serveEngine(engine, port2)
 * const engine = await connectEngine(port1);
 */
export async function connectEngine(port: EnginePort, options: ConnectOptions = {}): Promise<RemoteEngine> {
  const { maxUnread = 64, onBusy } = options;
  const streams = createStreams(port, maxUnread, onBusy);
  let facts = { contextLength: 0, vocabularySize: 0 };
  let status = idleStatus;
  let closing: Promise<void> | undefined;
  let onGone: () => void = () => {};

  function lose(error: Error): void {
    status = { ...status, running: 0, waiting: 0 };
    streams.lose(error);
    port.close();
    onGone();
  }

  await new Promise<void>((resolve) => {
    listen<FromEngine>(port, (message) => {
      status = message.status ?? status;
      switch (message.type) {
        case "open":
          facts = message;
          return resolve();
        case "progress":
          return message.streams.forEach(streams.receive);
        case "closed":
          return lose(engineClosed());
        default:
          message satisfies never;
      }
    });
  });

  return {
    contextLength: facts.contextLength,
    vocabularySize: facts.vocabularySize,
    generate: streams.open,
    status: () => status,
    lose,
    close: () =>
      (closing ??= new Promise((resolve) => {
        if (streams.isLost) return resolve();
        onGone = resolve;
        port.postMessage({ type: "close" } satisfies ToEngine);
      })),
  };
}

interface Streams {
  readonly isLost: boolean;
  open(request: GenerateRequest): AsyncIterable<GenerateEvent>;
  receive(progress: StreamProgress): void;
  /** Fails all that are open, and all that will be. */
  lose(error: Error): void;
}

/** Those that were opened and are not over, by number. */
function createStreams(
  port: EnginePort,
  maxUnread: number,
  onBusy: (isBusy: boolean) => void = () => {},
): Streams {
  const open = new Map<number, { readonly stream: EventStream<GenerateEvent>; onOver(): void }>();
  let numbers = 0;
  let lost: Error | undefined;
  const post = (message: ToEngine): void => port.postMessage(message);

  function begin(id: number, request: GenerateRequest, stream: EventStream<GenerateEvent>): void {
    if (lost !== undefined) throw lost;
    const { signal, ...data } = request;
    checkSignal(signal);
    try {
      post({ type: "generate", id, request: data, credit: maxUnread });
    } catch (error) {
      throw uncloneable(error);
    }
    const abort = (): void => post({ type: "abort", id });
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    open.set(id, { stream, onOver: () => signal?.removeEventListener("abort", abort) });
    if (open.size === 1) onBusy(true);
  }

  /** → false when it was over already */
  function end(id: number): boolean {
    open.get(id)?.onOver();
    const wasOpen = open.delete(id);
    if (wasOpen && open.size === 0) onBusy(false);
    return wasOpen;
  }

  return {
    get isLost() {
      return lost !== undefined;
    },
    open(request) {
      const id = numbers++;
      let unreported = 0;
      const stream: EventStream<GenerateEvent> = createEventStream({
        limit: Number.POSITIVE_INFINITY, // no more is sent than was granted
        onStart: () => begin(id, request, stream),
        onRoom() {},
        onLeave: () => end(id) && post({ type: "leave", id }),
      });
      const next = async (): Promise<IteratorResult<GenerateEvent, undefined>> => {
        const result = await stream.next();
        // Half at a time, so that credit is not a message for every token.
        if (!result.done && open.has(id) && ++unreported * 2 >= maxUnread) {
          post({ type: "credit", id, count: unreported });
          unreported = 0;
        }
        return result;
      };
      const reader = { next, return: () => stream.return!(), [Symbol.asyncIterator]: () => reader };
      return reader;
    },
    receive({ id, events, end: ending }) {
      const stream = open.get(id)?.stream;
      if (stream === undefined) return; // it was left meanwhile
      for (const event of events) stream.push(fromWire(event));
      if (ending === undefined) return;
      end(id);
      if (ending.error === undefined) stream.end();
      else stream.fail(errorFromWire(ending.error));
    },
    lose(error) {
      lost ??= error;
      for (const [id, { stream }] of open) {
        end(id);
        stream.fail(lost);
      }
    },
  };
}

function uncloneable(cause: unknown): GptOssError {
  return new GptOssError("engine/bad-request", {
    message: `the request cannot be sent to the engine's thread: ${cause instanceof Error ? cause.message : cause}`,
    hint: "give plain data only: numbers, lists, maps",
    cause,
  });
}
