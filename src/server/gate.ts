// Who may come in: by host, origin, key and rate. The same for HTTP and for WebSockets.

import { HttpError, retryAfterSeconds } from "./errors.ts";
import { type ApiKey, createKeys } from "./keys.ts";
import { allowedOrigin, checkHost, type Origins } from "./origins.ts";
import type { RateLimits } from "./rate-limits.ts";

/** What a stopping server answers. */
export const stoppingError = {
  code: "server_stopping",
  message: "The server is stopping.",
  headers: { "retry-after": String(retryAfterSeconds), connection: "close" },
} as const;

export interface Gate {
  /** The name of the caller's key. Throws what keeps it out. */
  enter(request: Request, isSocket?: boolean): Promise<string | undefined>;
  /** Counts a request. Throws 429. */
  count(key: string | undefined): void;
  headers(key: string | undefined): Record<string, string>;
  stop(): void;
}

export interface GateOptions {
  readonly hosts: readonly string[] | undefined;
  readonly origins: Origins | undefined;
  readonly keys: readonly ApiKey[];
  readonly rateLimits: RateLimits;
}

/** Asked by monitors and by people who look for the way in. */
const openPaths = /^\/($|health(\/|$)|openapi\.json$)/;

export function createGate({ hosts, origins, keys, rateLimits }: GateOptions): Gate {
  const known = createKeys(keys);
  let isStopping = false;
  return {
    async enter(request, isSocket = false) {
      const { pathname } = new URL(request.url);
      checkHost(request, hosts);
      if (openPaths.test(pathname)) return undefined;
      if (isStopping) throw new HttpError(503, stoppingError);
      const origin = request.headers.get("origin");
      if (isSocket && origin !== null && allowedOrigin(origin, origins, keys.length > 0) === null) {
        // Browsers let every page open a WebSocket to everywhere.
        throw new HttpError(403, {
          type: "invalid_request_error",
          code: "origin_not_allowed",
          message: `Pages of ${origin.slice(0, 100)} may not call this server.`,
        });
      }
      const key = await known.check(request.headers);
      if (request.method === "POST") rateLimits.request(key);
      return key;
    },
    count: (key) => rateLimits.request(key),
    headers: (key) => rateLimits.headers(key),
    stop: () => {
      isStopping = true;
    },
  };
}
