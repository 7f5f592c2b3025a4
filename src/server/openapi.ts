// This server's description of itself: OpenAPI 3.1, made from the schemas that parse the requests and from those that
// the answers' types are made from. The tests hold every answer against it (testing/described.ts).

import { Hono } from "hono";
import * as z from "zod";
import type { ServerEnv } from "./context.ts";
import { described } from "./wire.ts";

export interface Operation {
  readonly method: "get" | "post" | "delete";
  /** As OpenAPI writes it: `/v1/responses/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly body?: z.ZodType;
  readonly query?: z.ZodObject;
  /**
   * The body of a success: a schema with a name, or what is no JSON. With `errorBody` where an error may come after the
   * headers, in the place of the answer.
   */
  readonly answer: z.ZodType | "text/plain";
  /** `stream: true` answers with server-sent events, whose data are these. */
  readonly frames?: z.ZodType;
  /** Nobody is asked for a key. */
  readonly isOpen?: true;
}

/** What a status says here, whatever was asked. */
const meanings = {
  400: "Something in the request is wrong, or too long for the model; `param` says which field",
  401: "The API key is missing or unknown",
  403: "This host name or this web page may not call",
  404: "Not here: the model, the response, or an item; also where it belongs to another key",
  408: "The answer took longer than this server allows",
  413: "The body is too large",
  415: "The body is not declared as JSON",
  429: "A rate limit is reached, or the queue is full: see `retry-after`",
  500: "The server had an error",
  503: "Loading, stopping, or the store is away: see `retry-after`",
} as const;

type Status = keyof typeof meanings;

function errorStatuses({ path, body, query, isOpen }: Operation): Status[] {
  const hasId = path.includes("{");
  const statuses: Status[] = [403, 500, 503];
  if (!isOpen) statuses.push(401);
  if (body || query || hasId) statuses.push(400);
  if (body || hasId) statuses.push(404);
  if (body) statuses.push(408, 413, 415);
  if (body || path.endsWith("/cancel")) statuses.push(429);
  return statuses.sort();
}

const retryAfter = { "retry-after": { description: "Seconds", schema: { type: "string" } } };

const errorAnswer = (status: Status) => ({
  description: meanings[status],
  ...((status === 429 || status === 503) && { headers: retryAfter }),
  content: { "application/json": { schema: { $ref: addressOf("Error") } } },
});

function openApiDocument(operations: readonly Operation[]): Record<string, unknown> {
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
      schemas: namedSchemas(),
      securitySchemes: { key: { type: "http", scheme: "bearer" } },
    },
  };
}

function describe(operation: Operation): Record<string, unknown> {
  const { path, summary, body, query, isOpen } = operation;
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
  const inPath = names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } }));
  const inQuery = Object.entries(query?.shape ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    schema: schemaOf(schema as z.ZodType),
  }));
  const parameters = [...inPath, ...inQuery];
  const errors = errorStatuses(operation).map((status) => [status, errorAnswer(status)]);
  return {
    summary,
    ...(isOpen && { security: [{}] }),
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(body) } } },
    }),
    responses: { "200": successOf(operation), ...Object.fromEntries(errors) },
  };
}

function successOf({ answer, frames }: Operation): Record<string, unknown> {
  const content =
    answer === "text/plain"
      ? { "text/plain": { schema: { type: "string" } } }
      : { "application/json": { schema: answerSchema(answer) } };
  return {
    description: frames
      ? "The answer, or server-sent events: `data` of each is as described, and the last one is `[DONE]`"
      : "Success",
    content: { ...content, ...(frames && { "text/event-stream": { schema: answerSchema(frames) } }) },
  };
}

/** As clients write it; what has no JSON Schema is left open. */
function schemaOf(schema: z.ZodType): unknown {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return rest;
}

const addressOf = (id: string): string => `#/components/schemas/${id}`;

/** By its name; a union of named ones by theirs. */
function answerSchema(schema: z.ZodType): object {
  const id = described.get(schema)?.id;
  if (id !== undefined) return { $ref: addressOf(id) };
  return { anyOf: ((schema as z.ZodUnion).options as z.ZodType[]).map(answerSchema) };
}

function namedSchemas(): Record<string, unknown> {
  const { schemas } = z.toJSONSchema(described, { uri: addressOf, io: "output", unrepresentable: "any" });
  return Object.fromEntries(
    Object.entries(schemas)
      .sort(([one], [other]) => one.localeCompare(other))
      .map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}

const openApiOperation: Operation = {
  method: "get",
  path: "/openapi.json",
  summary: "This description",
  answer: z.looseObject({ openapi: z.string() }).register(described, { id: "Description" }),
  isOpen: true,
};

export function openApiRoutes(operations: readonly Operation[]): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  let document: Record<string, unknown> | undefined;
  routes.get("/openapi.json", (c) => {
    document ??= openApiDocument([...operations, openApiOperation]);
    return c.json(document);
  });
  return routes;
}
