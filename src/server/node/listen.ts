// A server on a TCP port: HTTP through Hono's adapter, WebSockets through ws. Owns sockets, their time limits, and the
// order in which all ends; knows nothing of what is said.

import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import type { Server } from "../create-server.ts";
import { errorResponse, HttpError } from "../errors.ts";
import { acceptSockets } from "./sockets.ts";

export interface ListenOptions {
  /** Default: 127.0.0.1, which only this machine can reach. */
  readonly host?: string;
  /** 0 is any free one. Default: 8000. */
  readonly port?: number;
}

export interface Listening {
  /** Such as `http://127.0.0.1:8000`. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Takes no more connections; finishes what runs, as `Server.close` does; then closes every socket. */
  close(options?: { readonly graceMs?: number }): Promise<void>;
}

export const defaultPort = 8000;
export const loopbackHost = "127.0.0.1";

/** Rejects with what the operating system says, such as `EADDRINUSE`. */
export async function listen(server: Server, options: ListenOptions = {}): Promise<Listening> {
  const { host = loopbackHost, port = defaultPort } = options;
  const listener = getRequestListener((request) => server.fetch(request), {
    overrideGlobalObjects: false,
    errorHandler: () =>
      errorResponse(new HttpError(400, { code: "bad_request", message: "This is no valid request." })),
  });
  const http = createHttpServer((incoming, outgoing) => void listener(incoming, outgoing));
  limitTimes(http);
  const sockets = acceptSockets(http, server);
  await new Promise<void>((resolve, reject) => {
    http.once("error", reject);
    http.listen({ host, port }, resolve);
  });
  const address = http.address() as AddressInfo;
  let closing: Promise<void> | undefined;
  async function stop(graceMs: number | undefined): Promise<void> {
    const closed = new Promise<void>((resolve) => http.close(() => resolve()));
    http.closeIdleConnections();
    await server.close(graceMs === undefined ? {} : { graceMs });
    sockets.close();
    // Answers that are complete may still be on their way, and their connections become idle one by one.
    const idle = setInterval(() => http.closeIdleConnections(), 20);
    const last = setTimeout(() => http.closeAllConnections(), flushMs);
    await closed;
    clearInterval(idle);
    clearTimeout(last);
  }
  return {
    url: `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`,
    host,
    port: address.port,
    close: ({ graceMs } = {}) => (closing ??= stop(graceMs)),
  };
}

const flushMs = 1000;

/** Limits for requests on their way in; an answer may take as long as it takes. */
function limitTimes(http: HttpServer): void {
  http.timeout = 0;
  http.headersTimeout = 30_000;
  http.requestTimeout = 120_000;
  // Longer than the 60 s of usual proxies, so that it is they who close an idle connection.
  http.keepAliveTimeout = 75_000;
  http.maxConnections = 4096;
}

/** True where only this machine can reach a server. */
export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || host.startsWith("127.");
