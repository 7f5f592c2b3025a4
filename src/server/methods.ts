// A known path with a method that it does not have is 405 with `Allow`, and not 404.

import type { Hono } from "hono";
import type { ServerEnv } from "./context.ts";
import { HttpError } from "./errors.ts";

/** After all routes have been added. */
export function refuseOtherMethods(app: Hono<ServerEnv>): void {
  const methodsOf = new Map<string, Set<string>>();
  for (const { path, method } of app.routes) {
    if (method === "ALL") continue;
    const methods = methodsOf.get(path) ?? new Set();
    methodsOf.set(path, methods.add(method));
    if (method === "GET") methods.add("HEAD");
  }
  for (const [path, methods] of methodsOf) {
    const allow = [...methods, "OPTIONS"].join(", ");
    app.all(path, (c) => {
      throw new HttpError(405, {
        code: "method_not_allowed",
        message: `${c.req.method} is not allowed here; ${allow} are.`,
        headers: { allow },
      });
    });
  }
}
