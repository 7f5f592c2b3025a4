// POST /v1/chat/completions.

import { Hono } from "hono";
import * as z from "zod";
import type { Usage } from "../../agent/index.ts";
import { parseBody, readBody } from "../body.ts";
import type { ServedModel, ServerContext, ServerEnv } from "../context.ts";
import { errorBody, errorObject, toHttpError } from "../errors.ts";
import { eventualJson } from "../eventual-json.ts";
import { type Interleaved, interleave } from "../interleave.ts";
import type { Operation } from "../openapi.ts";
import type { MediaPolicy } from "../prompt/index.ts";
import { type Run, startAll, whyAborted } from "../run.ts";
import { sseDone, sseFrame, ssePing, sseResponse, withHeartbeat } from "../sse.ts";
import { chunkOf, createCompletionFold, type Head, usageChunk } from "./completion.ts";
import { type ChoiceDelta, choiceDeltas } from "./deltas.ts";
import { type PreparedChat, prepareChat } from "./prepare.ts";
import { chatSchema } from "./request.ts";
import { type ChatCompletion, chatChunk, chatCompletion } from "./wire.ts";

export const chatOperations: readonly Operation[] = [
  {
    method: "post",
    path: "/v1/chat/completions",
    summary: "Continue a chat",
    body: chatSchema,
    answer: z.union([chatCompletion, errorBody]),
    frames: z.union([chatChunk, errorBody]),
  },
];

export interface ChatOptions {
  /** Images and files in messages. Default: placeholder. */
  readonly media?: MediaPolicy;
}

export function chatRoutes(
  context: ServerContext,
  { media = "placeholder" }: ChatOptions = {},
): Hono<ServerEnv> {
  const routes = new Hono<ServerEnv>();
  routes.post("/v1/chat/completions", async (c) => {
    const { call } = c.var;
    const body = parseBody(chatSchema, await readBody(c.req.raw, context.limits));
    const chat = prepareChat(context, body, { media, keyName: call.key });
    const runs = await startAll(
      chat.requests.map((request) => () => {
        const { model } = chat;
        return context.startRun({ call, model, request: { ...request, signal: call.signal }, api: "chat" });
      }),
    );
    const deltas = interleave(
      runs.map((run) =>
        choiceDeltas(remembered(chat, run), deltaOptions(chat), () => whyAborted(context, call)),
      ),
    );
    const head = headOf(context, chat.model);
    if (body.stream === true) {
      const withUsage = body.stream_options?.include_usage === true;
      const frames = withHeartbeat(framesOf(deltas, head, withUsage), {
        everyMs: context.limits.heartbeatMs,
        beat: () => ssePing,
      });
      return sseResponse(call, frames);
    }
    return eventualJson({
      call,
      work: completionOf(deltas, head, chat),
      lateError: (error) => ({ error: errorObject(error) }),
      afterMs: context.limits.earlyHeadersMs,
    });
  });
  return routes;
}

/** So that a client that drops the thoughts before a call can be helped when it comes back with the result. */
async function* remembered({ thoughts, memory }: PreparedChat, { events }: Run) {
  const recorder = thoughts.record(memory);
  for await (const event of events) {
    recorder.add(event);
    yield event;
  }
}

const deltaOptions = (chat: PreparedChat) => ({ ...chat, tokenizer: chat.model.tokenizer });

function headOf(context: ServerContext, model: ServedModel): Head {
  return {
    id: context.newId("chatcmpl").replace("_", "-"),
    created: Math.floor(context.now() / 1000),
    model: model.id,
    system_fingerprint: fingerprintOf(model),
  };
}

/** Changes when the weights do, as far as their name and date say so. */
function fingerprintOf({ id, created }: ServedModel): string {
  let hash = 0x811c9dc5; // FNV-1a
  for (const letter of `${id} ${created}`) hash = Math.imul(hash ^ letter.codePointAt(0)!, 0x01000193);
  return `fp_${(hash >>> 0).toString(16).padStart(8, "0")}`;
}

type Deltas = AsyncIterable<Interleaved<ChoiceDelta>>;

async function* framesOf(deltas: Deltas, head: Head, withUsage: boolean): AsyncGenerator<string, void> {
  const usages: Usage[] = [];
  try {
    for await (const one of deltas) {
      if (one.value.usage) usages[one.index] = one.value.usage;
      yield sseFrame({ ...chunkOf(head, one), ...(withUsage && { usage: null }) });
    }
  } catch (error) {
    return void (yield sseFrame({ error: errorObject(toHttpError(error)) }));
  }
  if (withUsage) yield sseFrame(usageChunk(head, usages));
  yield sseDone;
}

async function completionOf(deltas: Deltas, head: Head, chat: PreparedChat): Promise<ChatCompletion> {
  const fold = createCompletionFold(chat.requests.length, chat.withLogprobs);
  for await (const delta of deltas) fold.add(delta);
  return fold.completion(head);
}
