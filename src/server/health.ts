// For monitors: does the process live, can it answer, and what does it do.

import { Hono } from "hono";
import * as z from "zod";
import type { Admission } from "./admission.ts";
import type { ServerContext, ServerEnv } from "./context.ts";
import { loading } from "./models.ts";
import type { Operation } from "./openapi.ts";
import { named } from "./wire.ts";

const health = named("Health", z.object({ status: z.literal("ok") }));

export const healthOperations: readonly Operation[] = [
  { method: "get", path: "/health", summary: "Whether this server can answer", answer: health, isOpen: true },
  {
    method: "get",
    path: "/health/ready",
    summary: "Whether this server can answer",
    answer: health,
    isOpen: true,
  },
  {
    method: "get",
    path: "/health/live",
    summary: "Whether this process lives",
    answer: health,
    isOpen: true,
  },
  { method: "get", path: "/metrics", summary: "For Prometheus", answer: "text/plain" },
];

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
