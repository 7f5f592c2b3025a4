// Background responses that run in this process: they go on without their client, can be followed by any number of
// others, and leave their events in the store as they happen.

import type { ServerContext } from "../context.ts";
import type { RunningResponse } from "./run.ts";
import type { ResponseObject, StreamEvent } from "./wire.ts";

export interface LiveResponse {
  /** As of the last event. */
  readonly response: ResponseObject;
  follow(options: FollowOptions): AsyncGenerator<StreamEvent, void>;
  /** Resolves when it has ended and is stored. */
  cancel(): Promise<void>;
}

export interface FollowOptions {
  /** Events up to this number are known. */
  readonly after: number;
  /** Aborted when nobody listens any more. */
  readonly signal: AbortSignal;
}

export interface LiveResponses {
  /** Lets it run to its end. `stop` makes it end early. */
  start(running: RunningResponse, stop: () => void): LiveResponse;
  get(id: string): LiveResponse | undefined;
}

export function createLiveResponses(context: ServerContext): LiveResponses {
  const all = new Map<string, LiveResponse>();
  return {
    start(running, stop) {
      const log = createEventLog();
      const keep = createKeeper(context, running.response.id);
      const work = async (): Promise<void> => {
        for await (const event of running.events) {
          log.add(event);
          keep.add(event);
        }
      };
      const { id } = running.response;
      const ended = work().finally(async () => {
        log.end();
        await keep.end();
        all.delete(id);
      });
      context.track(ended);
      const live: LiveResponse = {
        get response() {
          return running.response;
        },
        follow: (options) => log.follow(options),
        async cancel() {
          stop();
          await ended;
        },
      };
      all.set(id, live);
      return live;
    },
    get: (id) => all.get(id),
  };
}

interface EventLog {
  add(event: StreamEvent): void;
  end(): void;
  follow(options: FollowOptions): AsyncGenerator<StreamEvent, void>;
}

function createEventLog(): EventLog {
  const events: StreamEvent[] = [];
  let waiting: (() => void)[] = [];
  let isOver = false;
  const wake = (): void => {
    for (const resolve of waiting) resolve();
    waiting = [];
  };
  return {
    add(event) {
      events.push(event);
      wake();
    },
    end() {
      isOver = true;
      wake();
    },
    async *follow({ after, signal }) {
      signal.addEventListener("abort", wake);
      try {
        for (let at = 0; ; ) {
          for (; at < events.length; at++) if (events[at].sequence_number > after) yield events[at];
          if (isOver || signal.aborted) return;
          await new Promise<void>((resolve) => waiting.push(resolve));
        }
      } finally {
        signal.removeEventListener("abort", wake);
      }
    },
  };
}

/** Between two writes of events: what is lost at most when the process dies, and what is written at once. */
const keepEveryMs = 100;

/** Brings events to the store in batches, one after the other. A store that fails loses the replay, not the response. */
function createKeeper({ store, log }: ServerContext, id: string) {
  let pending: StreamEvent[] = [];
  let writing: Promise<void> | undefined;
  let isEnding = false;
  const write = async (): Promise<void> => {
    if (!isEnding) await new Promise((resolve) => setTimeout(resolve, keepEveryMs));
    const batch = pending;
    pending = [];
    try {
      await store.appendEvents(id, batch);
    } catch (error) {
      log({ level: "error", event: "events-not-stored", response: id, error: String(error) });
    }
    writing = undefined;
    if (pending.length > 0) writing = write();
  };
  return {
    add(event: StreamEvent): void {
      pending.push(event);
      writing ??= write();
    },
    async end(): Promise<void> {
      isEnding = true;
      while (writing) await writing;
    },
  };
}
