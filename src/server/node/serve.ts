// A server and its port together: what `gpt-oss serve` runs, and what a program can run.

import { createServer, type ServerOptions } from "../create-server.ts";
import { isLoopback, type Listening, type ListenOptions, listen, loopbackHost } from "./listen.ts";

export interface ServeOptions extends ServerOptions, ListenOptions {}

/**
 * Errors: those of listening, such as `EADDRINUSE`. A server that only this machine can reach answers only under the names
 * of this machine, unless `hosts` says otherwise.
 *
 * @example
 * const model = await load({ model: "20b" });
 * const { url, close } = await serve({ models: [{ id: "20b", created: 0, ...model }], store: createMemoryStore() });
 */
export async function serve(options: ServeOptions): Promise<Listening> {
  const { host = loopbackHost, hosts = isLoopback(host) ? [] : undefined } = options;
  const server = createServer({ ...options, ...(hosts && { hosts }) });
  return listen(server, options);
}
