// One response, from a prepared request to its last event. Owns when it is stored: before its end is told to anybody, so
// that what was reported complete is there after a crash.

import type { AgentEvent } from "../../agent/index.ts";
import type { Call } from "../context.ts";
import { HttpError, toHttpError } from "../errors.ts";
import { storedRecord } from "./lookup.ts";
import type { ResponsesApiParts } from "./options.ts";
import type { Prepared } from "./prepare.ts";
import { type ResponseObject, type StreamEvent, terminalTypes } from "./wire.ts";
import { createWriter, type ResponseWriter } from "./writer.ts";

export interface RunningResponse {
  /** To be read once, to its end or left early, which ends the run. */
  readonly events: AsyncIterable<StreamEvent>;
  heartbeat(): StreamEvent;
  /** As of the last event. */
  readonly response: ResponseObject;
  /** Why it failed, if it did. */
  readonly failure: HttpError | undefined;
}

export interface BeginOptions {
  readonly call: Call;
  /** Of the client, or of whoever may cancel it. */
  readonly signal: AbortSignal;
}

/** Throws what is wrong with the request, or 429, as long as that can be a status. */
export async function beginResponse(
  api: ResponsesApiParts,
  prepared: Prepared,
  { call, signal }: BeginOptions,
): Promise<RunningResponse> {
  const { context } = api;
  const { model, request } = prepared;
  const run = await context.startRun({ call, model, request: { ...request, signal }, api: "responses" });
  const writer = createWriter({
    response: prepared.response,
    functions: prepared.functionNames,
    isSummarized: prepared.isSummarized,
    tokenizer: model.tokenizer,
    newId: context.newId,
    now: () => Math.floor(context.now() / 1000),
  });
  const running: Running = { api, prepared, writer, signal, failure: undefined, lost: false };
  return {
    events: responseEvents(running, run.events),
    heartbeat: () => writer.heartbeat(),
    get response() {
      return reported(running);
    },
    get failure() {
      return running.failure;
    },
  };
}

interface Running {
  readonly api: ResponsesApiParts;
  readonly prepared: Prepared;
  readonly writer: ResponseWriter;
  readonly signal: AbortSignal;
  failure: HttpError | undefined;
  /** It should have been stored and could not be. */
  lost: boolean;
}

async function* responseEvents(
  running: Running,
  events: AsyncIterable<AgentEvent>,
): AsyncGenerator<StreamEvent, void> {
  const { writer } = running;
  let isStored = false;
  try {
    for await (const event of wireEvents(running, events)) {
      if (!terminalTypes.has(event.type)) yield event;
      else {
        await store(running);
        isStored = true;
        yield "response" in event ? { ...event, response: reported(running) } : event;
      }
    }
  } finally {
    // The reader has left in the middle.
    if (!isStored) {
      writer.cancel();
      await store(running);
    }
  }
}

async function* wireEvents(
  running: Running,
  events: AsyncIterable<AgentEvent>,
): AsyncGenerator<StreamEvent, void> {
  const { api, prepared, writer } = running;
  const recording = api.context.thoughts
    .of(prepared.model.id, prepared.keyName)
    .record(prepared.request.memory);
  yield* writer.open();
  try {
    for await (const event of events) {
      recording.add(event);
      const failure = event.type === "run-end" ? abortFailure(running, event.finishReason) : undefined;
      if (failure) {
        running.failure = failure;
        yield* writer.fail(failure);
      } else yield* writer.add(event, await sealed(running, event));
    }
  } catch (error) {
    running.failure = toHttpError(error);
    if (running.failure.status >= 500) logFailure(running, error);
    yield* writer.fail(running.failure);
  }
}

/** A run that was aborted was cancelled by somebody, unless the server ended it, and says why. */
function abortFailure({ api, signal }: Running, finishReason: string): HttpError | undefined {
  const { stopping } = api.context;
  const { reason } = stopping.aborted ? stopping : signal;
  return finishReason === "aborted" && reason instanceof HttpError ? reason : undefined;
}

async function sealed({ api, prepared }: Running, event: AgentEvent): Promise<string | undefined> {
  if (!prepared.isSealed || event.type !== "reasoning-end" || event.message.content === "") return undefined;
  return api.seal.seal("reasoning", event.message.content);
}

/** An answer that cannot be kept is still given, and says of itself that it was not stored. */
async function store(running: Running): Promise<void> {
  const { api, prepared, writer } = running;
  if (!prepared.response.store) return;
  try {
    const { items: input, keyName } = prepared;
    const putting = api.context.store.put(storedRecord({ response: writer.response, input, keyName }));
    api.context.track(putting);
    // Somebody deleted it, or took this process for dead, while it ran.
    if (!(await putting)) running.lost = true;
  } catch (error) {
    running.lost = true;
    logFailure(running, error);
  }
}

const reported = ({ writer, lost }: Running): ResponseObject =>
  lost ? { ...writer.response, store: false } : writer.response;

function logFailure({ api, writer }: Running, error: unknown): void {
  api.context.log({
    level: "error",
    event: "response-failed",
    response: writer.response.id,
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });
}
