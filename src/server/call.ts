// One request from its arrival to the last byte of its answer: its id, its time, and the line that it leaves in the log
// and the metrics. Knows nothing of what is asked.

import type { Context } from "hono";
import { matchedRoutes } from "hono/route";
import type { Call, ServerContext, ServerEnv } from "./context.ts";
import { HttpError } from "./errors.ts";

export interface CallRecord {
  readonly call: Call;
  /** Known when the caller was let in. */
  key: string | undefined;
  /** What nobody expected, for the log. */
  cause: unknown;
  /** The handler has returned; the answer may go on. */
  answered(c: Context<ServerEnv>): void;
}

export interface CallOptions {
  readonly request: Request;
  readonly context: ServerContext;
  /** When its time is over, and what that is called. Default: the limit of a request. */
  readonly timeout?: Timeout;
}

export interface Timeout {
  readonly ms: number;
  /** Made when it is needed: an error takes its stack along, which few requests want. */
  readonly error: () => HttpError;
}

/** What clients may choose: it goes into headers and logs. */
const requestId = /^[\w.:-]{1,128}$/;

export function openCall({ request, context, timeout }: CallOptions): CallRecord {
  const began = context.now();
  const given = request.headers.get("x-request-id");
  const leaving = new AbortController();
  const { ms, error } = timeout ?? requestTimeout(context);
  const timer = setTimeout(() => leaving.abort(error()), ms);
  if (typeof timer === "object") timer.unref?.();
  let held = 0;
  let report: (() => void) | undefined;
  const over = (): void => {
    clearTimeout(timer);
    report?.();
    report = undefined;
  };
  const record: CallRecord = {
    key: undefined,
    cause: undefined,
    call: {
      id: given !== null && requestId.test(given) ? given : context.newId("req"),
      get key() {
        return record.key;
      },
      signal: AbortSignal.any([request.signal, leaving.signal]),
      leave: () => leaving.abort(),
      hold() {
        held++;
        let isHeld = true;
        return () => {
          if (!isHeld) return;
          isHeld = false;
          held--;
          if (held === 0) over();
        };
      },
    },
    answered(c) {
      report = () => tell(c, { record, context, began });
      if (held === 0) over();
    },
  };
  return record;
}

function requestTimeout({ limits }: ServerContext): Timeout {
  const error = (): HttpError =>
    new HttpError(408, {
      code: "request_timeout",
      message: `The answer took longer than ${limits.requestMs / 1000} s, which is the limit of this server.`,
      headers: { "x-should-retry": "false" },
    });
  return { ms: limits.requestMs, error };
}

interface Told {
  readonly record: CallRecord;
  readonly context: ServerContext;
  readonly began: number;
}

function tell(c: Context<ServerEnv>, { record, context, began }: Told): void {
  const { call, key, cause } = record;
  const { status } = c.res;
  const { method } = c.req;
  const seconds = (context.now() - began) / 1000;
  const last = matchedRoutes(c).findLast(({ path }) => path !== "/*" && path !== "*");
  const route = status === 404 && last === undefined ? "unknown" : (last?.path ?? "unknown");
  context.metrics.request({ route, method, status, seconds });
  context.log({
    level: status >= 500 ? "error" : "info",
    event: "request",
    requestId: call.id,
    method,
    route,
    status,
    seconds: Number(seconds.toFixed(3)),
    ...(key !== undefined && { key }),
    ...(call.signal.aborted && { aborted: true }),
    ...(cause !== undefined && {
      error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
    }),
  });
}
