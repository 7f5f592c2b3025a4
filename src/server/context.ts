// What every API of the server is given: the models, what outlives a request, and what belongs to one request.
// Handlers are functions of this context and a Request; they know neither sockets nor processes.

import type { AgentModel } from "../agent/index.ts";
import type { CallRecord } from "./call.ts";
import type { Limits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import type { StartRun } from "./run.ts";
import type { ResponseStore } from "./store/index.ts";
import type { ThoughtMemory } from "./thoughts.ts";

/** A model under the name by which clients ask for it. */
export interface ServedModel extends AgentModel {
  readonly id: string;
  /** Other names that mean it. */
  readonly aliases?: readonly string[];
  /** Unix seconds. */
  readonly created: number;
  /** Default: openai. */
  readonly ownedBy?: string;
  /** What it is run with where a request does not say. */
  readonly defaults?: ModelDefaults;
}

export interface ModelDefaults {
  readonly temperature?: number;
  /** ISO date that the model takes for today; default, and where it is null: the server's day. */
  readonly currentDate?: string | null;
}

export interface ServerContext {
  readonly models: readonly ServedModel[];
  /** By the name in a request. Throws 400 where it is missing, 404 `model_not_found`, 503 `model_loading`. */
  model(id: string | null | undefined): ServedModel;
  readonly store: ResponseStore;
  readonly thoughts: ThoughtMemory;
  /** The way to the model for every API: admission, limits, metrics. See run.ts. */
  readonly startRun: StartRun;
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** Aborted when the server stops and its grace period is over: what still runs is then marked as failed. */
  readonly stopping: AbortSignal;
  /** Work that outlives its request, such as a background response: a stopping server waits for it. */
  track(work: Promise<unknown>): void;
  /** Milliseconds since 1970. */
  now(): number;
  /** `resp_` and the like, then 32 hexadecimal digits. */
  newId(prefix: string): string;
  log(entry: LogEntry): void;
}

/** Never holds what was said: no prompt, no answer, no key. */
export interface LogEntry {
  readonly level: "info" | "warning" | "error";
  readonly event: string;
  readonly requestId?: string;
  readonly [field: string]: unknown;
}

/** One HTTP request, or one WebSocket. In handlers: `c.var.call`. */
export interface Call {
  /** Sent back as `x-request-id`. */
  readonly id: string;
  /** The name of the API key; undefined on a server without keys. */
  readonly key: string | undefined;
  /** Aborted when the client has left, or when its time is over. Background work must not listen to it. */
  readonly signal: AbortSignal;
  /** Says that the client has left. */
  leave(): void;
  /** For an answer that goes on after its handler has returned: gives the function that says that it is over. */
  hold(): () => void;
}

/** For `new Hono<ServerEnv>()`. */
export interface ServerEnv {
  Variables: {
    call: Call;
    /** The server's own view of the call. */
    record: CallRecord;
  };
}

/** Where a model's day is not fixed, the server's own. */
export function currentDate(model: ServedModel, now: number): string {
  const fixed = model.defaults?.currentDate;
  if (fixed != null) return fixed;
  const date = new Date(now);
  const pad = (part: number): string => String(part).padStart(2, "0");
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}
