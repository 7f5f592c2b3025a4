// What can be done with a response that was made before: read, follow, cancel, delete, list its input.

import { parseBody } from "../body.ts";
import type { Call } from "../context.ts";
import { HttpError } from "../errors.ts";
import { sseResponse } from "../sse.ts";
import { reasoningEventsOf, sseFrames } from "./frames.ts";
import { type KeptResponse, storedRecord } from "./lookup.ts";
import type { ResponsesApiParts } from "./options.ts";
import { replay } from "./replay.ts";
import { listQuery, retrieveQuery } from "./schema.ts";
import { ended, type ResponseObject } from "./wire.ts";

export interface StoredRequest {
  readonly id: string;
  readonly call: Call;
  readonly request: Request;
}

async function find(api: ResponsesApiParts, id: string): Promise<KeptResponse> {
  const kept = await api.lookup.response(id);
  if (kept) return { ...kept, response: api.live.get(id)?.response ?? kept.response };
  throw new HttpError(404, {
    code: "response_not_found",
    message: `Response with id '${id.slice(0, 100)}' not found.`,
  });
}

const queryOf = ({ url }: Request): unknown => Object.fromEntries(new URL(url).searchParams);

/** GET /v1/responses/{id} */
export async function retrieve(
  api: ResponsesApiParts,
  { id, call, request }: StoredRequest,
): Promise<Response> {
  const query = parseBody(retrieveQuery, queryOf(request));
  const { response } = await find(api, id);
  if (query.stream !== "true" && query.stream !== "1") return Response.json(response);
  const frames = sseFrames(
    replay(api, response, { after: query.starting_after ?? -1, signal: call.signal }),
    {
      mode: reasoningEventsOf(request.headers, api.options.reasoningEvents),
      everyMs: api.context.limits.heartbeatMs,
      heartbeat: () => undefined,
    },
  );
  return sseResponse(call, frames);
}

/** DELETE /v1/responses/{id}. One that runs is cancelled first. */
export async function remove(api: ResponsesApiParts, { id }: StoredRequest): Promise<Response> {
  const { response } = await find(api, id);
  if (!ended(response)) await stop(api, id);
  await api.context.store.delete(id);
  return Response.json({ id, object: "response", deleted: true });
}

/** POST /v1/responses/{id}/cancel */
export async function cancel(api: ResponsesApiParts, { id }: StoredRequest): Promise<Response> {
  const { response } = await find(api, id);
  if (!response.background) {
    const message = "Only background responses can be cancelled; to end another one, close its connection.";
    throw new HttpError(400, { code: "invalid_value", param: "response_id", message });
  }
  return Response.json(ended(response) ? response : await stop(api, id));
}

/** How long another process may take to end a response. */
const otherProcessMs = 5000;
const lookEveryMs = 100;

async function stop(api: ResponsesApiParts, id: string): Promise<ResponseObject> {
  const live = api.live.get(id);
  if (live) {
    await live.cancel();
    return live.response;
  }
  const { context } = api;
  await context.store.requestCancel(id);
  for (const start = context.now(); ; ) {
    const { response } = await find(api, id);
    if (ended(response) || context.now() - start > otherProcessMs) return response;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

/** GET /v1/responses/{id}/input_items */
export async function inputItems(api: ResponsesApiParts, { id, request }: StoredRequest): Promise<Response> {
  const { limit, order, after } = parseBody(listQuery, queryOf(request));
  const { input } = await find(api, id);
  const ordered = order === "asc" ? input : input.toReversed();
  const last = ordered.findIndex((item) => item.id === after);
  if (after !== undefined && last < 0) {
    throw new HttpError(400, {
      code: "invalid_value",
      param: "after",
      message: `No item has the id '${after}'.`,
    });
  }
  const start = last + 1;
  const data = ordered.slice(start, start + limit);
  return Response.json({
    object: "list",
    data,
    first_id: data[0]?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
    has_more: start + limit < ordered.length,
  });
}

/** What a dead process left running has failed. */
export function failAbandoned(api: ResponsesApiParts, { response, input }: KeptResponse): void {
  const error = { code: "server_error", message: "The server stopped before the answer was complete." };
  const failed: ResponseObject = { ...response, status: "failed", error };
  api.context.track(api.context.store.put(storedRecord({ response: failed, input })));
}
