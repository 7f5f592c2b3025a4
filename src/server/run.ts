// The one way from an API to the model: takes a place, looks whether the prompt fits, starts the run, and waits until
// it is certain that it runs, so that what is wrong with it can still be an HTTP status. Counts what it used.

import { type AgentEvent, type AgentRequest, runAgent } from "../agent/index.ts";
import { assert } from "../base/index.ts";
import { textOf } from "../harmony/index.ts";
import type { Admission } from "./admission.ts";
import type { Call, ServedModel } from "./context.ts";
import { HttpError } from "./errors.ts";
import type { Metrics } from "./metrics.ts";
import type { RateLimits } from "./rate-limits.ts";
import { unlessLate } from "./unless-late.ts";

export interface RunOptions {
  readonly call: Call;
  readonly model: ServedModel;
  /** `signal` is the caller's: `call.signal` for what ends with the client, another for background work. */
  readonly request: AgentRequest;
  /** Counted as; such as `responses`. */
  readonly api: string;
}

/** For what is not a conversation. */
export interface PlainRunOptions extends Omit<RunOptions, "request"> {
  readonly signal: AbortSignal;
  /** Of the prompt. */
  readonly letters: number;
  /** Begins, as a run of the agent does, with `turn-start`. */
  readonly begin: (signal: AbortSignal) => AsyncGenerator<AgentEvent, void>;
}

export interface Run {
  /** Of the first turn. */
  readonly promptTokens: number;
  /** To be read once, to its end or left early, which frees the run's place. May throw what the engine throws. */
  readonly events: AsyncIterable<AgentEvent>;
}

/**
 * Throws HttpError or GptOssError where the run cannot begin: 429 `queue_full`, 400 `context_length_exceeded`, bad
 * requests. Errors after that are thrown by `events`.
 */
export type StartRun = (options: RunOptions | PlainRunOptions) => Promise<Run>;

export interface RunParts {
  readonly admission: Admission;
  readonly metrics: Metrics;
  readonly rateLimits: RateLimits;
  readonly stopping: AbortSignal;
}

/** An engine says within this time what is wrong with a request; a first token may take much longer. */
const settleMs = 100;

export const createStartRun =
  (parts: RunParts): StartRun =>
  async (options) => {
    const { call, model, api } = options;
    const { letters, begin, signal: ends } = "request" in options ? conversation(options) : options;
    refuseHopeless(letters, model.engine.contextLength);
    const leave = parts.admission.enter();
    const measured = parts.metrics.startRun({ api, model: model.id });
    const leaving = new AbortController();
    const signal = AbortSignal.any([parts.stopping, leaving.signal, ...(ends ? [ends] : [])]);
    const events = begin(signal);
    const over = (): void => {
      leave();
      const { promptTokens: prompt, outputTokens } = measured.end();
      parts.rateLimits.spend(call.key, prompt + outputTokens);
    };
    try {
      const opening = await open(events, model.engine.contextLength);
      return {
        promptTokens: opening.promptTokens,
        events: follow({ opening, events, measured, signal, leave: () => leaving.abort(), over }),
      };
    } catch (error) {
      leaving.abort();
      void events.return();
      over();
      throw error;
    }
  };

function conversation({ model, request }: RunOptions) {
  return {
    letters: request.messages.reduce((sum, message) => sum + textOf(message).length, 0),
    begin: (signal: AbortSignal) => runAgent(model, { ...request, signal }),
    signal: request.signal,
  };
}

/** All of them or none; none waits for another. */
export async function startAll(starts: readonly (() => Promise<Run>)[]): Promise<Run[]> {
  const settled = await Promise.allSettled(starts.map((start) => start()));
  const runs = settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  const failed = settled.find((one) => one.status === "rejected");
  if (!failed) return runs;
  for (const { events } of runs) await events[Symbol.asyncIterator]().return?.();
  throw failed.reason;
}

/** What to tell a client whose run ended as aborted. */
export function whyAborted({ stopping }: Pick<RunParts, "stopping">, { signal }: Call): unknown {
  const { reason } = stopping.aborted ? stopping : signal;
  return reason instanceof HttpError ? reason : clientLeft;
}

/** Nobody reads it, but the log and the metrics tell it from a failure; the status is nginx's. */
const clientLeft = new HttpError(499, {
  code: "client_closed_request",
  message: "The client left before the answer was complete.",
});

/** No token of gpt-oss's vocabulary is longer. */
const longestTokenBytes = 128;

/** Nobody else is served while megabytes of text become tokens. */
function refuseHopeless(letters: number, contextLength: number): void {
  const atLeast = Math.ceil(letters / longestTokenBytes);
  if (atLeast > contextLength) throw tooLong(`at least ${atLeast}`, contextLength);
}

function tooLong(promptTokens: number | string, contextLength: number): HttpError {
  return new HttpError(400, {
    code: "context_length_exceeded",
    message: `The prompt has ${promptTokens} tokens, and this model's context holds ${contextLength} with the answer.`,
  });
}

type Next = IteratorResult<AgentEvent, void>;

interface Opening {
  readonly promptTokens: number;
  /** `turn-start`. */
  readonly first: Next;
  readonly second: Promise<Next>;
}

/** The second event comes from the engine; if it is an error that comes at once, it is thrown here. */
async function open(events: AsyncGenerator<AgentEvent, void>, contextLength: number): Promise<Opening> {
  const first = await events.next();
  assert(!first.done && first.value.type === "turn-start", "a run begins with a turn");
  const { promptTokens } = first.value;
  if (promptTokens >= contextLength) throw tooLong(promptTokens, contextLength);
  const second = events.next();
  second.catch(() => {}); // thrown below, or to whoever reads it
  await unlessLate(second, settleMs);
  return { promptTokens, first, second };
}

interface Following {
  readonly opening: Opening;
  readonly events: AsyncGenerator<AgentEvent, void>;
  readonly measured: { add(event: AgentEvent): void };
  readonly signal: AbortSignal;
  /** Ends the run when the reader leaves. */
  readonly leave: () => void;
  readonly over: () => void;
}

/**
 * Not a generator: a generator's `return` waits for the token that is being computed, and does nothing for one that was
 * never read. An aborted run is read to its end here, which is near, so that its place is free whoever reads.
 */
function follow(options: Following): AsyncIterableIterator<AgentEvent, void> {
  const { opening, events, measured, signal, leave } = options;
  const done = { done: true, value: undefined } as const;
  let isOver = false;
  const over = (): void => {
    if (!isOver) options.over();
    isOver = true;
    // A signal made of others lives as long as somebody listens to it, and the run with it.
    signal.removeEventListener("abort", onAbort);
  };
  const onAbort = (): void => void pump();
  const observed = async (next: Next | Promise<Next>): Promise<Next> => {
    try {
      const result = await next;
      if (result.done) over();
      else measured.add(result.value);
      return result;
    } catch (error) {
      over();
      throw error;
    }
  };
  const ahead = [observed(opening.first), observed(opening.second)];
  const pump = async (): Promise<void> => {
    while (!isOver) {
      const next = observed(events.next());
      ahead.push(next);
      await next.catch(() => {}); // told to whoever reads it
    }
  };
  ahead[1].catch(() => {}); // the same
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) void pump();
  let hasLeft = false;
  return {
    next: async () => (hasLeft ? done : (ahead.shift() ?? observed(events.next()))),
    async return() {
      hasLeft = true;
      leave();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
