// This server's description of itself: OpenAPI 3.1, made from the same schemas that parse the requests.

import { Hono } from "hono";
import * as z from "zod";
import type { ServerEnv } from "./context.ts";

export interface Operation {
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: `/v1/responses/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  /** Of the JSON answer. */
  readonly answer?: z.ZodType;
  /** `stream: true` answers with server-sent events. */
  readonly streams?: true;
}

const errorAnswer = {
  description: "An error",
  content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
};

const errorSchema = {
  type: "object",
  required: ["error"],
  properties: {
    error: {
      type: "object",
      required: ["message", "type", "param", "code"],
      properties: {
        message: { type: "string" },
        type: { type: "string" },
        param: { type: ["string", "null"] },
        code: { type: "string" },
      },
    },
  },
};

export function openApiDocument(operations: readonly Operation[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of operations) {
    const methods = (paths[operation.path] ??= {});
    methods[operation.method] = describe(operation);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "gpt-oss",
      description: "An OpenAI-compatible server for OpenAI's open-weight models. Unknown fields are ignored.",
      version: "1",
    },
    security: [{ key: [] }, {}],
    paths,
    components: {
      schemas: { Error: errorSchema },
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
  };
}

function describe({ path, summary, body, query, answer, streams }: Operation): Record<string, unknown> {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  const inPath = names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: schemaOf(schema as z.ZodType),
  }));
  const parameters = [...inPath, ...inQuery];
  const content = {
    "application/json": { schema: answer ? schemaOf(answer) : { type: "object" } },
    ...(streams && { "text/event-stream": { schema: { type: "string" } } }),
  };
  return {
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(body) } } },
    }),
    responses: { "200": { description: "Success", content }, default: errorAnswer },
  };
}

/** As clients write it; what has no JSON Schema is left open. */
function schemaOf(schema: z.ZodType): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}

const shellOperations: readonly Operation[] = [
  { method: "get", path: "/v1/models", summary: "The models of this server" },
  { method: "get", path: "/v1/models/{id}", summary: "One model" },
  { method: "get", path: "/health", summary: "Whether this server can answer" },
  { method: "get", path: "/health/live", summary: "Whether this process lives" },
  { method: "get", path: "/health/ready", summary: "Whether this server can answer" },
];

export function openApiRoutes(operations: readonly Operation[]): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  let document: Record<string, unknown> | undefined;
  routes.get("/openapi.json", (c) => {
    document ??= openApiDocument([...operations, ...shellOperations]);
    return c.json(document);
  });
  return routes;
}
