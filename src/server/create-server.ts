// The server as one function from a Request to a Response. Owns what every request passes through: its id, whether it
// may come in, its time, its errors, its traces in metrics and logs; and how the server ends. What is answered is in
// the APIs' own folders; sockets and processes are in node/.

import { Hono, type MiddlewareHandler } from "hono";
import { cors } from "hono/cors";
import { type Admission, createAdmission } from "./admission.ts";
import { type CallRecord, openCall } from "./call.ts";
import { chatOperations, chatRoutes } from "./chat/index.ts";
import { completionOperations, completionRoutes } from "./completions/index.ts";
import type { LogEntry, ServedModel, ServerContext, ServerEnv } from "./context.ts";
import { errorResponse, HttpError, toHttpError } from "./errors.ts";
import { createGate, type Gate, stoppingError } from "./gate.ts";
import { healthOperations, healthRoutes } from "./health.ts";
import type { ApiKey } from "./keys.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import { refuseOtherMethods } from "./methods.ts";
import { createMetrics } from "./metrics.ts";
import { createModelTable, modelOperations, modelsRoutes } from "./models.ts";
import { openApiRoutes } from "./openapi.ts";
import { allowedOrigin, type Origins } from "./origins.ts";
import { createRateLimits, type RateLimit, rateLimitHeaders } from "./rate-limits.ts";
import { createResponsesApi, type ResponsesOptions, responsesOperations } from "./responses/index.ts";
import { createStartRun } from "./run.ts";
import type { SocketPeer, SocketSession } from "./socket.ts";
import { createSocketSessions } from "./socket-sessions.ts";
import type { ResponseStore } from "./store/index.ts";
import { createThoughtMemory } from "./thoughts.ts";
import { unlessLate } from "./unless-late.ts";

export interface ServerOptions {
  /** While they are loading, requests are answered with 503 `model_loading`. */
  readonly models: readonly ServedModel[] | Promise<readonly ServedModel[]>;
  /** The caller's: closing the server leaves it open. */
  readonly store: ResponseStore;
  /** Default: none, everybody may call. */
  readonly keys?: readonly ApiKey[];
  /** For every key that has none of its own, and for a server without keys. Default: none. */
  readonly rateLimit?: RateLimit;
  readonly limits?: Partial<Limits>;
  /** Web pages that may call. Default: local ones; with keys, all. */
  readonly origins?: Origins;
  /** Names, beside local ones, under which this server may be called. Default: any. */
  readonly hosts?: readonly string[];
  /** Answer to whatever model name is asked for, where there is one model. Default: false. */
  readonly anyModelName?: boolean;
  readonly responses?: ResponsesOptions;
  readonly log?: (entry: LogEntry) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface Server {
  /** Never rejects. */
  fetch(request: Request): Promise<Response>;
  /** For a request that wants to become a WebSocket: a refusal, or the function that begins its session. */
  connect(request: Request): Promise<Response | ((peer: SocketPeer) => SocketSession)>;
  /**
   * Takes no more requests, waits for those in progress, and after `graceMs` (default 30,000) aborts them; background
   * responses are then stored as failed.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

/**
 * An OpenAI-compatible server over engines that run in this process.
 *
 * @example
 * const server = createServer({ models: [{ id: "20b", created: 0, engine, tokenizer }], store: createMemoryStore() });
 * const response = await server.fetch(new Request("http://localhost/v1/models"));
 */
export function createServer(options: ServerOptions): Server {
  const { keys = [], now = Date.now, log = () => {} } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const table = createModelTable({ models: options.models, anyName: options.anyModelName ?? false });
  const limitOf = new Map<string | undefined, RateLimit>(keys.map((key) => [key.name, key]));
  const rateLimits = createRateLimits((key) => ({ ...options.rateLimit, ...limitOf.get(key) }), now);
  const admission = createAdmission(limits.requests);
  const metrics = createMetrics(now);
  const stopping = new AbortController();
  const background = createBackground();
  const context: ServerContext = {
    get models() {
      return table.all;
    },
    model: (id) => table.get(id),
    store: options.store,
    thoughts: createThoughtMemory(),
    startRun: createStartRun({ admission, metrics, rateLimits, stopping: stopping.signal }),
    limits,
    metrics,
    stopping: stopping.signal,
    track: (work) => background.track(work),
    now,
    newId: (prefix) => `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`,
    log,
  };
  const { hosts, origins } = options;
  const gate = createGate({ hosts, origins, keys, rateLimits });
  const responses = createResponsesApi(context, options.responses);
  const app = createApp({ context, gate, admission, options, isReady: () => !table.isLoading });
  app.route("/v1/responses", responses.routes);
  refuseOtherMethods(app);

  const sockets = createSocketSessions({ context, gate, open: responses.openSession });
  let closing: Promise<void> | undefined;
  async function stop(graceMs: number): Promise<void> {
    gate.stop();
    const idle = async (): Promise<void> => {
      await admission.empty();
      await background.settled();
    };
    await unlessLate(idle(), graceMs);
    stopping.abort(new HttpError(503, stoppingError));
    sockets.close();
    await unlessLate(idle(), abortMs);
    await responses.close();
  }

  return {
    fetch: async (request) => app.fetch(request),
    connect: (request) => sockets.connect(request),
    close: ({ graceMs = 30_000 } = {}) => (closing ??= stop(graceMs)),
  };
}

/** Work that outlives the request that began it. */
function createBackground() {
  const tracked = new Set<Promise<unknown>>();
  return {
    track(work: Promise<unknown>): void {
      // Whoever began it tells of its failure; here only its end counts.
      const forget = (): void => void tracked.delete(ended);
      const ended: Promise<void> = work.then(forget, forget);
      tracked.add(ended);
    },
    async settled(): Promise<void> {
      while (tracked.size > 0) await Promise.all(tracked);
    },
  };
}

/** What was aborted has this long to write down what became of it. */
const abortMs = 5000;

interface AppParts {
  readonly context: ServerContext;
  readonly gate: Gate;
  readonly admission: Admission;
  readonly options: ServerOptions;
  readonly isReady: () => boolean;
}

function createApp({ context, gate, admission, options, isReady }: AppParts): Hono<ServerEnv> {
  const app = new Hono<ServerEnv>();
  const hasKeys = (options.keys ?? []).length > 0;
  app.use("*", traced(context, gate));
  app.use(
    "*",
    cors({
      origin: (origin) => allowedOrigin(origin, options.origins, hasKeys),
      exposeHeaders: ["x-request-id", "retry-after", ...rateLimitHeaders],
      maxAge: 600,
    }),
  );
  app.use("*", async (c, next) => {
    c.var.record.key = await gate.enter(c.req.raw);
    await next();
  });
  app.route("/", healthRoutes({ context, admission, isReady }));
  app.route("/", modelsRoutes(context));
  app.route("/", chatRoutes(context, options.responses));
  app.route("/", completionRoutes(context));
  const operations = [responsesOperations, chatOperations, completionOperations, modelOperations];
  app.route("/", openApiRoutes([...operations.flat(), ...healthOperations]));
  app.notFound((c) => {
    const message = `There is nothing at ${c.req.method} ${c.req.path.slice(0, 200)}.`;
    return errorResponse(new HttpError(404, { code: "unknown_url", message }));
  });
  app.onError((error, c) => {
    const answer = toHttpError(error);
    // What the server says of itself on purpose (loading, stopping) needs no stack.
    if (answer.status >= 500) c.var.record.cause = answer.cause ?? (answer === error ? undefined : error);
    return errorResponse(answer);
  });
  return app;
}

/** Every request gets an id and a time, and leaves a line and a count. */
function traced(context: ServerContext, gate: Gate): MiddlewareHandler<ServerEnv> {
  return async (c, next) => {
    const record: CallRecord = openCall({ request: c.req.raw, context });
    c.set("record", record);
    c.set("call", record.call);
    await next();
    c.header("x-request-id", record.call.id);
    for (const [name, value] of Object.entries(gate.headers(record.key))) c.header(name, value);
    record.answered(c);
  };
}
