// Which web pages may call, and under which names this server may be called. A server on somebody's own machine is
// reachable from every page that this person opens: without keys, only local pages may use it, and a foreign name that
// was made to point here (DNS rebinding) is refused.

import { HttpError } from "./errors.ts";

/** `*`, or origins such as `https://example.com`. */
export type Origins = "*" | readonly string[];

const localNames = /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** What `access-control-allow-origin` says to this origin, if anything. */
export function allowedOrigin(origin: string, origins: Origins | undefined, hasKeys: boolean): string | null {
  if (origins === "*" || (origins === undefined && hasKeys)) return "*";
  if (origins !== undefined) return origins.includes(origin) ? origin : null;
  return isLocalOrigin(origin) ? origin : null;
}

function isLocalOrigin(origin: string): boolean {
  return URL.canParse(origin) && localNames.test(new URL(origin).hostname);
}

/** `hosts` are the names under which a server may be called; undefined: any. */
export function checkHost(request: Request, hosts: readonly string[] | undefined): void {
  if (hosts === undefined) return;
  const { hostname } = new URL(request.url);
  if (localNames.test(hostname) || hosts.includes(hostname)) return;
  throw new HttpError(403, {
    type: "invalid_request_error",
    code: "host_not_allowed",
    message: `This server does not answer under the name ${hostname.slice(0, 100)}: start it with --allow-host, or give it in hosts.`,
  });
}
