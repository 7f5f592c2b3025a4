// What can be done with a response that was made before: read, follow, cancel, delete, list its input.

import { parseBody } from "../body.ts";
import type { Call } from "../context.ts";
import { HttpError } from "../errors.ts";
import { sseResponse } from "../sse.ts";
import { reasoningEventsOf, sseFrames } from "./frames.ts";
import { type KeptResponse, storedRecord, storeLookup } from "./lookup.ts";
import type { ResponsesApiParts } from "./options.ts";
import { replay } from "./replay.ts";
import { listQuery, retrieveQuery } from "./schema.ts";
import { ended, type ResponseObject } from "./wire.ts";

export interface StoredRequest {
  readonly id: string;
  readonly call: Call;
  readonly request: Request;
}

type Asked = Pick<StoredRequest, "id" | "call">;

const storedFor = ({ context }: ResponsesApiParts, { call }: Asked) => context.store.of(call.key);

async function find(api: ResponsesApiParts, asked: Asked): Promise<KeptResponse> {
  const { id } = asked;
  const kept = await storeLookup(storedFor(api, asked)).response(id);
  if (kept) return { ...kept, response: api.live.get(id)?.response ?? kept.response };
  throw new HttpError(404, {
    code: "response_not_found",
    message: `Response with id '${id.slice(0, 100)}' not found.`,
  });
}

const queryOf = ({ url }: Request): unknown => Object.fromEntries(new URL(url).searchParams);

/** GET /v1/responses/{id} */
export async function retrieve(api: ResponsesApiParts, asked: StoredRequest): Promise<Response> {
  const { call, request } = asked;
  const query = parseBody(retrieveQuery, queryOf(request));
  const { response } = await find(api, asked);
  if (query.stream !== "true" && query.stream !== "1") return Response.json(response);
  const frames = sseFrames(
    replay(api, response, {
      after: query.starting_after ?? -1,
      signal: call.signal,
      stored: storedFor(api, asked),
    }),
    {
      mode: reasoningEventsOf(request.headers, api.options.reasoningEvents),
      everyMs: api.context.limits.heartbeatMs,
      heartbeat: () => undefined,
    },
  );
  return sseResponse(call, frames);
}

/** DELETE /v1/responses/{id}. One that runs is cancelled first. */
export async function remove(api: ResponsesApiParts, asked: StoredRequest): Promise<Response> {
  const { id } = asked;
  const { response } = await find(api, asked);
  if (!ended(response)) await stop(api, asked);
  await storedFor(api, asked).delete(id);
  return Response.json({ id, object: "response", deleted: true });
}

/** POST /v1/responses/{id}/cancel */
export async function cancel(api: ResponsesApiParts, asked: StoredRequest): Promise<Response> {
  const { response } = await find(api, asked);
  if (!response.background) {
    const message = "Only background responses can be cancelled; to end another one, close its connection.";
    throw new HttpError(400, { code: "invalid_value", param: "response_id", message });
  }
  return Response.json(ended(response) ? response : await stop(api, asked));
}

/** How long another process may take to end a response. */
const otherProcessMs = 5000;
const lookEveryMs = 100;

async function stop(api: ResponsesApiParts, asked: Asked): Promise<ResponseObject> {
  const { id } = asked;
  const live = api.live.get(id);
  if (live) {
    await live.cancel();
    return live.response;
  }
  const { context } = api;
  await storedFor(api, asked).requestCancel(id);
  for (const start = context.now(); ; ) {
    const { response } = await find(api, asked);
    if (ended(response) || context.now() - start > otherProcessMs) return response;
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
  }
}

/** GET /v1/responses/{id}/input_items */
export async function inputItems(api: ResponsesApiParts, asked: StoredRequest): Promise<Response> {
  const { limit, order, after } = parseBody(listQuery, queryOf(asked.request));
  const { input } = await find(api, asked);
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
export function failAbandoned(api: ResponsesApiParts, kept: KeptResponse): void {
  const error = { code: "server_error", message: "The server stopped before the answer was complete." };
  const response: ResponseObject = { ...kept.response, status: "failed", error };
  api.context.track(api.context.store.put(storedRecord({ ...kept, response })));
}
