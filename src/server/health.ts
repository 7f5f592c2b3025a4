// For monitors: does the process live, can it answer, and what does it do.

import { Hono } from "hono";
import type { Admission } from "./admission.ts";
import type { ServerContext, ServerEnv } from "./context.ts";
import { loading } from "./models.ts";

export interface HealthParts {
  readonly context: ServerContext;
  readonly admission: Admission;
  readonly isReady: () => boolean;
}

export function healthRoutes({ context, admission, isReady }: HealthParts): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  const ready = (): Response => {
    if (!isReady()) throw loading();
    return Response.json({ status: "ok" });
  };
  routes.get("/", (c) => c.text("gpt-oss is running. What it answers: /openapi.json\n"));
  routes.get("/health", ready);
  routes.get("/health/ready", ready);
  routes.get("/health/live", () => Response.json({ status: "ok" }));
  routes.get("/metrics", (c) => {
    c.header("content-type", "text/plain; version=0.0.4; charset=utf-8");
    return c.body(context.metrics.text({ models: context.models, inside: admission.inside }));
  });
  return routes;
}
