// The Responses API over one WebSocket: requests in, the events of their responses out, one after the other. Remembers
// the last response, also where it is not stored, so that the next request can continue it.

import { type AgentEvent, createFold } from "../../agent/index.ts";
import { parseBody, parseJson } from "../body.ts";
import type { Call } from "../context.ts";
import { errorObject, HttpError, toHttpError } from "../errors.ts";
import type { SocketPeer, SocketSession } from "../socket.ts";
import { withHeartbeat } from "../sse.ts";
import { shownAs } from "./frames.ts";
import { type KeptResponse, type Lookup, storedRecord, storeLookup } from "./lookup.ts";
import type { ResponsesApiParts } from "./options.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { beginResponse } from "./run.ts";
import { socketBody } from "./schema.ts";
import { ended, type ResponseObject, type StreamEvent } from "./wire.ts";
import { createWriter } from "./writer.ts";

/** Requests that wait for the one in progress; more are refused. */
const maxWaiting = 32;

export function openSession(api: ResponsesApiParts, call: Call, peer: SocketPeer): SocketSession {
  const session: Session = { api, call, peer, last: undefined };
  const waiting: string[] = [];
  let isBusy = false;
  const work = async (): Promise<void> => {
    isBusy = true;
    for (let text = waiting.shift(); text !== undefined; text = waiting.shift()) {
      if (call.signal.aborted) break;
      await answer(session, text);
    }
    isBusy = false;
  };
  return {
    receive(text) {
      if (waiting.length >= maxWaiting) {
        const message = `More than ${maxWaiting} requests wait on this connection.`;
        void sendError(session, new HttpError(429, { code: "queue_full", message }));
        return;
      }
      waiting.push(text);
      // Its whole work counts as work of the server, because a response is stored after its socket is gone.
      if (!isBusy) api.context.track(work());
    },
    closed() {
      waiting.length = 0;
      call.leave();
    },
  };
}

interface Session {
  readonly api: ResponsesApiParts;
  readonly call: Call;
  readonly peer: SocketPeer;
  /** With everything said before it, so that nothing else has to be remembered. */
  last: KeptResponse | undefined;
}

/** Never throws: what goes wrong is told to the client, and the socket stays open. */
async function answer(session: Session, text: string): Promise<void> {
  let previous: string | null | undefined;
  try {
    const body = readMessage(session, text);
    previous = body.previous_response_id;
    const prepared = await prepare(
      session.api,
      { ...body, background: false },
      { keyName: session.call.key, lookup: lookupOf(session) },
    );
    const response = await (body.generate === false ? readPrompt : sampled)(session, prepared);
    if (response.status === "failed") forget(session, previous);
    else if (ended(response)) remember(session, prepared, response);
  } catch (error) {
    forget(session, previous);
    await sendError(session, toHttpError(error));
  }
}

function readMessage({ api }: Session, text: string) {
  const value = parseJson(text, api.context.limits);
  const type = (value as { readonly type?: unknown } | null)?.type;
  if (type !== "response.create") {
    const message = `Messages of type '${String(type).slice(0, 60)}' are not supported; send 'response.create'.`;
    throw new HttpError(400, { code: "invalid_request", param: "type", message });
  }
  return parseBody(socketBody, value);
}

function lookupOf({ api, call, last }: Session): Lookup {
  const stored = storeLookup(api.context.store.of(call.key));
  return {
    response: async (id) => (last?.response.id === id ? last : stored.response(id)),
    item: async (id) =>
      [...(last?.input ?? []), ...(last?.response.output ?? [])].find((item) => item.id === id) ??
      stored.item(id),
  };
}

function remember(session: Session, { before, items, keyName }: Prepared, response: ResponseObject): void {
  const input = [...before, ...items];
  session.last = { response: { ...response, previous_response_id: null }, input, keyName };
}

/** A continuation that failed may have failed because of what it continued. */
function forget(session: Session, id: string | null | undefined): void {
  if (id != null && session.last?.response.id === id) session.last = undefined;
}

async function sampled(session: Session, prepared: Prepared): Promise<ResponseObject> {
  const { api, call } = session;
  const running = await beginResponse(api, prepared, { call, signal: call.signal });
  const events = withHeartbeat<StreamEvent | undefined>(running.events, {
    everyMs: api.context.limits.heartbeatMs,
    beat: () => running.heartbeat(),
  });
  for await (const event of events) if (event) await send(session, event);
  return running.response;
}

async function send({ api, peer }: Session, event: StreamEvent): Promise<void> {
  const shown = shownAs(event, api.options.reasoningEvents);
  if (shown) await peer.send(JSON.stringify(shown));
}

/** `generate: false`: the prompt goes through the model, which keeps what it read, and nothing is answered. */
async function readPrompt(session: Session, prepared: Prepared): Promise<ResponseObject> {
  const { api, call } = session;
  const { context } = api;
  const { model, response, items, keyName } = prepared;
  const request = { ...prepared.request, maxTokens: 1, signal: call.signal };
  const run = await context.startRun({ call, model, request, api: "responses" });
  const folded = createFold();
  for await (const event of run.events) folded.add(event);
  const usage = { ...folded.answer().usage, outputTokens: 0, reasoningTokens: 0 };
  const now = (): number => Math.floor(context.now() / 1000);
  const { tokenizer } = model;
  const { newId } = context;
  const options = {
    response,
    functions: new Map<string, never>(),
    isSummarized: false,
    tokenizer,
    newId,
    now,
  };
  const writer = createWriter(options);
  const end: AgentEvent = { type: "run-end", finishReason: "stop", usage, pendingCalls: [] };
  const events = [...writer.open(), ...writer.add(end)];
  if (response.store)
    await context.store.put(storedRecord({ response: writer.response, input: items, keyName }));
  for (const event of events) await send(session, event);
  return writer.response;
}

async function sendError({ peer }: Session, error: HttpError): Promise<void> {
  // Over a socket nothing has an address that could not be found.
  const status = error.code === "previous_response_not_found" ? 400 : error.status;
  const event = { type: "error", status, error: errorObject(error) };
  try {
    await peer.send(JSON.stringify(event));
  } catch {
    // The client has left, which its own signal says to everything that has to know.
  }
}
