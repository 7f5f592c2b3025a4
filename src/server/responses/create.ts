// POST /v1/responses: streamed, whole, or in the background.

import { parseBody, readBody } from "../body.ts";
import type { Call } from "../context.ts";
import { HttpError } from "../errors.ts";
import { eventualJson } from "../eventual-json.ts";
import { sseResponse } from "../sse.ts";
import { type FrameOptions, reasoningEventsOf, sseFrames } from "./frames.ts";
import type { LiveResponse } from "./live.ts";
import { storedRecord } from "./lookup.ts";
import type { ResponsesApiParts } from "./options.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { beginResponse, type RunningResponse } from "./run.ts";
import { createBody } from "./schema.ts";
import type { ResponseObject } from "./wire.ts";

export async function createResponse(
  api: ResponsesApiParts,
  call: Call,
  request: Request,
): Promise<Response> {
  const { limits } = api.context;
  const body = parseBody(createBody, await readBody(request, limits));
  if (body.background && body.store === false) {
    const message = "A background response has to be stored: 'background' needs 'store'.";
    throw new HttpError(400, { code: "invalid_value", param: "background", message });
  }
  const frames = {
    mode: reasoningEventsOf(request.headers, api.options.reasoningEvents),
    everyMs: limits.heartbeatMs,
  };
  const prepared = await prepare(api, body, { keyName: call.key });
  if (body.background) {
    const live = await startBackground(api, prepared, call);
    return body.stream ? followed(call, live, frames) : Response.json(prepared.response);
  }
  const running = await beginResponse(api, prepared, { call, signal: call.signal });
  if (body.stream) {
    return sseResponse(call, sseFrames(running.events, { ...frames, heartbeat: () => running.heartbeat() }));
  }
  return eventualJson({
    call,
    work: whole(running),
    lateError: () => running.response,
    afterMs: limits.earlyHeadersMs,
  });
}

/** Not streaming is reading the stream to its end. */
async function whole(running: RunningResponse): Promise<ResponseObject> {
  for await (const _ of running.events);
  if (running.failure) throw running.failure;
  return running.response;
}

async function startBackground(
  api: ResponsesApiParts,
  prepared: Prepared,
  call: Call,
): Promise<LiveResponse> {
  const { store } = api.context;
  const stopping = new AbortController();
  const running = await beginResponse(api, prepared, { call, signal: stopping.signal });
  try {
    const response: ResponseObject = { ...prepared.response, status: "in_progress" };
    await store.put(storedRecord({ response, input: prepared.items, keyName: prepared.keyName }));
  } catch (error) {
    stopping.abort();
    for await (const _ of running.events); // gives its place back
    throw error;
  }
  return api.live.start(running, () => stopping.abort());
}

function followed(call: Call, live: LiveResponse, options: Omit<FrameOptions, "heartbeat">): Response {
  const events = live.follow({ after: -1, signal: call.signal });
  return sseResponse(call, sseFrames(events, { ...options, heartbeat: () => undefined }));
}
