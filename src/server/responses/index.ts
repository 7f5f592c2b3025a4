// The Responses API: its routes, its WebSocket sessions, and what the server's own description says of it.

import { Hono } from "hono";
import * as z from "zod";
import type { Call, ServerContext, ServerEnv } from "../context.ts";
import { errorBody } from "../errors.ts";
import type { Operation } from "../openapi.ts";
import type { SocketPeer, SocketSession } from "../socket.ts";
import { compact } from "./compact.ts";
import { countInputTokens } from "./count.ts";
import { createResponse } from "./create.ts";
import { createLiveResponses } from "./live.ts";
import { keptResponse } from "./lookup.ts";
import type { ResponsesApiParts, ResponsesOptions } from "./options.ts";
import { compactBody, createBody, inputTokensBody, listQuery, retrieveQuery } from "./schema.ts";
import { createSeal } from "./seal.ts";
import { openSession } from "./session.ts";
import { cancel, failAbandoned, inputItems, remove, retrieve } from "./stored.ts";
import { compactedResponse, countedTokens, deletedResponse, itemList } from "./wire-answers.ts";
import { shownEvent } from "./wire-events.ts";
import { responseObject } from "./wire-items.ts";

export type { ReasoningEvents, ReasoningSummary, ResponsesOptions } from "./options.ts";

export interface ResponsesApi {
  /** Mounted at /v1/responses. */
  readonly routes: Hono<ServerEnv>;
  openSession(call: Call, peer: SocketPeer): SocketSession;
  /** Lets go of the store. What still runs is awaited by whoever tracks it. */
  close(): Promise<void>;
}

export function createResponsesApi(context: ServerContext, options: ResponsesOptions = {}): ResponsesApi {
  const { secret, ...chosen } = options;
  const api: ResponsesApiParts = {
    context,
    options: {
      reasoningEvents: "reasoning_text",
      reasoningSummary: "asked",
      unsupportedTools: "ignore",
      media: "placeholder",
      ...chosen,
    },
    seal: createSeal(secret),
    live: createLiveResponses(context),
  };
  const unwatch = context.store.watch({
    abandoned: (record) => failAbandoned(api, keptResponse(record)),
    cancelled: (id) => void api.live.get(id)?.cancel(),
  });
  return {
    routes: routesOf(api),
    openSession: (call, peer) => openSession(api, call, peer),
    close: async () => unwatch(),
  };
}

function routesOf(api: ResponsesApiParts): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  const one = (c: { req: { param(name: "id"): string; raw: Request }; var: { call: Call } }) => ({
    id: c.req.param("id"),
    call: c.var.call,
    request: c.req.raw,
  });
  routes.post("/", (c) => createResponse(api, c.var.call, c.req.raw));
  routes.post("/input_tokens", (c) => countInputTokens(api, c.var.call, c.req.raw));
  routes.post("/compact", (c) => compact(api, c.var.call, c.req.raw));
  routes.get("/:id", (c) => retrieve(api, one(c)));
  routes.delete("/:id", (c) => remove(api, one(c)));
  routes.post("/:id/cancel", (c) => cancel(api, one(c)));
  routes.get("/:id/input_items", (c) => inputItems(api, one(c)));
  return routes;
}

const path = "/v1/responses";

export const responsesOperations: readonly Operation[] = [
  {
    method: "post",
    path,
    summary: "Create a response",
    body: createBody,
    answer: responseObject,
    frames: shownEvent,
  },
  {
    method: "get",
    path: `${path}/{id}`,
    summary: "Read a response, or follow it",
    query: retrieveQuery,
    answer: responseObject,
    frames: shownEvent,
  },
  { method: "delete", path: `${path}/{id}`, summary: "Delete a response", answer: deletedResponse },
  {
    method: "post",
    path: `${path}/{id}/cancel`,
    summary: "Cancel a background response; any other is a 400",
    answer: responseObject,
  },
  {
    method: "get",
    path: `${path}/{id}/input_items`,
    summary: "List a response's input",
    query: listQuery,
    answer: itemList,
  },
  {
    method: "post",
    path: `${path}/input_tokens`,
    summary: "Count the tokens of a prompt",
    body: inputTokensBody,
    answer: countedTokens,
  },
  {
    method: "post",
    path: `${path}/compact`,
    summary: "Compact a conversation",
    body: compactBody,
    answer: z.union([compactedResponse, errorBody]),
  },
];
