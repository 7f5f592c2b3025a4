// POST /v1/completions: a text, or tokens, continued as they are. No conversation, no reasoning, no tools.

import { Hono } from "hono";
import * as z from "zod";
import type { AgentEvent, SampledLogprob, Usage } from "../../agent/index.ts";
import type { TokenId, Tokenizer } from "../../tokenizer/index.ts";
import { parseBody, readBody } from "../body.ts";
import type { ServerContext, ServerEnv } from "../context.ts";
import { errorBody, errorObject, toHttpError } from "../errors.ts";
import { eventualJson } from "../eventual-json.ts";
import { type Interleaved, interleave } from "../interleave.ts";
import type { Operation } from "../openapi.ts";
import { startAll, whyAborted } from "../run.ts";
import { sseDone, sseFrame, ssePing, sseResponse, withHeartbeat } from "../sse.ts";
import { wireUsage } from "../usage.ts";
import { continueTokens } from "./continue.ts";
import { type PreparedCompletion, prepareCompletion } from "./prepare.ts";
import { completionSchema } from "./request.ts";
import {
  type TextCompletion,
  type TextCompletionChunk,
  textCompletion,
  textCompletionChunk,
} from "./wire.ts";

const path = "/v1/completions";

export const completionOperations: readonly Operation[] = [
  {
    method: "post",
    path,
    summary: "Continue a text as it is",
    body: completionSchema,
    answer: z.union([textCompletion, errorBody]),
    frames: z.union([textCompletionChunk, errorBody]),
  },
];

interface Part {
  readonly text: string;
  readonly logprobs: readonly SampledLogprob[];
  readonly finishReason: "stop" | "length" | null;
  readonly usage?: Usage;
}

type Parts = AsyncIterable<Interleaved<Part>>;

export function completionRoutes(context: ServerContext): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  routes.post(path, async (c) => {
    const { call } = c.var;
    const body = parseBody(completionSchema, await readBody(c.req.raw, context.limits));
    const prepared = prepareCompletion(context, body);
    const { model, letters } = prepared;
    const runs = await startAll(
      prepared.runs.map((options) => () => {
        const begin = (signal: AbortSignal) => continueTokens(model, options(), signal);
        return context.startRun({ call, model, api: "completions", signal: call.signal, letters, begin });
      }),
    );
    const why = (): unknown => whyAborted(context, call);
    const parts = interleave(runs.map(({ events }) => partsOf(events, why)));
    const writer = createWriter(context, prepared);
    if (body.stream === true) {
      const frames = framesOf(parts, writer, body.stream_options?.include_usage === true);
      const { heartbeatMs } = context.limits;
      return sseResponse(call, withHeartbeat(frames, { everyMs: heartbeatMs, beat: () => ssePing }));
    }
    return eventualJson({
      call,
      work: whole(parts, writer, runs.length),
      lateError: (error) => ({ error: errorObject(error) }),
      afterMs: context.limits.earlyHeadersMs,
    });
  });
  return routes;
}

async function* partsOf(events: AsyncIterable<AgentEvent>, why: () => unknown): AsyncGenerator<Part, void> {
  for await (const event of events) {
    if (event.type === "text-delta") {
      yield { text: event.text, logprobs: event.logprobs ?? [], finishReason: null };
    } else if (event.type === "run-end") {
      if (event.finishReason === "aborted") throw why();
      const finishReason = event.finishReason === "length" ? "length" : "stop";
      yield { text: "", logprobs: [], finishReason, usage: event.usage };
    }
  }
}

type Writer = ReturnType<typeof createWriter>;

/** What all chunks have in common, and where in its text each choice is. */
function createWriter(context: ServerContext, { model, withLogprobs, choicesOfPrompt }: PreparedCompletion) {
  const head = {
    id: context.newId("cmpl").replace("_", "-"),
    object: "text_completion" as const,
    created: Math.floor(context.now() / 1000),
    model: model.id,
  };
  const offsets = new Map<number, number>();
  const usages: Usage[] = [];
  return {
    head,
    choice({ index, value: { text, logprobs, finishReason, usage } }: Interleaved<Part>) {
      if (usage) usages[index] = usage;
      const offset = offsets.get(index) ?? 0;
      offsets.set(index, offset + text.length);
      const written = withLogprobs ? wireLogprobs(model.tokenizer, logprobs, offset) : null;
      return { index, text, logprobs: written, finish_reason: finishReason };
    },
    usage: () => wireUsage(usages, choicesOfPrompt),
  };
}

/** Lists side by side, as this API has them. */
function wireLogprobs(tokenizer: Tokenizer, logprobs: readonly SampledLogprob[], offset: number) {
  const textOf = (token: number): string => tokenizer.decode([token as TokenId]);
  const texts = logprobs.map(({ token }) => textOf(token));
  let at = offset;
  return {
    tokens: texts,
    token_logprobs: logprobs.map(({ logprob }) => finite(logprob)),
    top_logprobs: logprobs.map(({ top }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [textOf(token), finite(logprob)])),
    ),
    text_offset: texts.map((text) => {
      at += text.length;
      return at - text.length;
    }),
  };
}

/** JSON has no infinity: the logarithm of no probability at all, as OpenAI's API writes it. */
const finite = (logprob: number): number => (Number.isFinite(logprob) ? logprob : -9999);

async function* framesOf(parts: Parts, writer: Writer, withUsage: boolean): AsyncGenerator<string, void> {
  const { head } = writer;
  try {
    for await (const part of parts) {
      const choices = [writer.choice(part)];
      yield sseFrame({ ...head, choices, ...(withUsage && { usage: null }) } satisfies TextCompletionChunk);
    }
  } catch (error) {
    return void (yield sseFrame({ error: errorObject(toHttpError(error)) }));
  }
  if (withUsage)
    yield sseFrame({ ...head, choices: [], usage: writer.usage() } satisfies TextCompletionChunk);
  yield sseDone;
}

async function whole(parts: Parts, writer: Writer, count: number): Promise<TextCompletion> {
  const choices = Array.from({ length: count }, (_, index) => writer.choice(nothing(index)));
  for await (const part of parts) {
    const choice = choices[part.index];
    const { text, logprobs, finish_reason } = writer.choice(part);
    choice.text += text;
    choice.logprobs?.tokens.push(...(logprobs?.tokens ?? []));
    choice.logprobs?.token_logprobs.push(...(logprobs?.token_logprobs ?? []));
    choice.logprobs?.top_logprobs.push(...(logprobs?.top_logprobs ?? []));
    choice.logprobs?.text_offset.push(...(logprobs?.text_offset ?? []));
    choice.finish_reason = finish_reason;
  }
  return { ...writer.head, choices, usage: writer.usage() };
}

const nothing = (index: number): Interleaved<Part> => ({
  index,
  value: { text: "", logprobs: [], finishReason: null },
});
