// The one way from an API to the model: takes a place, looks whether the prompt fits, starts the run, and waits until
// it is certain that it runs, so that what is wrong with it can still be an HTTP status. Counts what it used.

import { type AgentEvent, type AgentRequest, openPrompt, runAgent } from "../agent/index.ts";
import type { Admission } from "./admission.ts";
import type { Call, ServedModel } from "./context.ts";
import { HttpError } from "./errors.ts";
import type { Metrics } from "./metrics.ts";
import type { RateLimits } from "./rate-limits.ts";

export interface RunOptions {
  readonly call: Call;
  readonly model: ServedModel;
  /** `signal` is the caller's: `call.signal` for what ends with the client, another for background work. */
  readonly request: AgentRequest;
  /** Counted as; such as `responses`. */
  readonly api: string;
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
export type StartRun = (options: RunOptions) => Promise<Run>;

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
    const promptTokens = checkedPrompt(options);
    const leave = parts.admission.enter();
    const measured = parts.metrics.startRun({ api, model: model.id });
    const leaving = new AbortController();
    const signals = [
      parts.stopping,
      leaving.signal,
      ...(options.request.signal ? [options.request.signal] : []),
    ];
    const events = runAgent(model, { ...options.request, signal: AbortSignal.any(signals) });
    const over = (): void => {
      leave();
      const { promptTokens: prompt, outputTokens } = measured.end();
      parts.rateLimits.spend(call.key, prompt + outputTokens);
    };
    try {
      const opening = await open(events);
      return { promptTokens, events: follow({ opening, events, measured, leaving, over }) };
    } catch (error) {
      over();
      throw error;
    }
  };

function checkedPrompt({ model, request }: RunOptions): number {
  const { engine, tokenizer } = model;
  const { tokens } = openPrompt(tokenizer, request);
  if (tokens.length < engine.contextLength) return tokens.length;
  throw new HttpError(400, {
    code: "context_length_exceeded",
    message: `The prompt has ${tokens.length} tokens, and this model's context holds ${engine.contextLength} with the answer.`,
  });
}

type Next = IteratorResult<AgentEvent, void>;

interface Opening {
  /** `turn-start`. */
  readonly first: Next;
  readonly second: Promise<Next>;
}

/** The second event comes from the engine; if it is an error that comes at once, it is thrown here. */
async function open(events: AsyncGenerator<AgentEvent, void>): Promise<Opening> {
  const first = await events.next();
  const second = events.next();
  second.catch(() => {}); // thrown below, or to whoever reads it
  let timer: ReturnType<typeof setTimeout> | undefined;
  const settled = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, settleMs);
  });
  try {
    await Promise.race([second, settled]);
  } finally {
    clearTimeout(timer);
  }
  return { first, second };
}

interface Following {
  readonly opening: Opening;
  readonly events: AsyncGenerator<AgentEvent, void>;
  readonly measured: { add(event: AgentEvent): void };
  /** Ends the run when the reader leaves. */
  readonly leaving: AbortController;
  readonly over: () => void;
}

/**
 * Not a generator: a generator's `return` waits for the token that is being computed, and does nothing for one that was
 * never read.
 */
function follow({
  opening,
  events,
  measured,
  leaving,
  over,
}: Following): AsyncIterableIterator<AgentEvent, void> {
  const ahead: (Next | Promise<Next>)[] = [opening.first, opening.second];
  const done = { done: true, value: undefined } as const;
  let isOver = false;
  const end = (): void => {
    if (!isOver) over();
    isOver = true;
  };
  const next = async (): Promise<Next> => {
    if (isOver) return done;
    try {
      const result = await (ahead.shift() ?? events.next());
      if (!result.done) measured.add(result.value);
      else end();
      return result;
    } catch (error) {
      end();
      throw error;
    }
  };
  /** To the end of a run that was aborted, which is near, for what it used. */
  const drain = async (): Promise<void> => {
    try {
      while (!(await next()).done);
    } catch {
      // the reader has left: nobody is there to be told
    }
  };
  return {
    next,
    async return() {
      leaving.abort();
      void drain();
      return done;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
