// POST /v1/responses/compact: a long conversation becomes its user's words and a sealed summary, written by the model.
// What comes out can be sent as input as it is.

import { fold, type Usage } from "../../agent/index.ts";
import type { Message } from "../../harmony/index.ts";
import { textOf } from "../../harmony/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { parseBody, readBody } from "../body.ts";
import type { Call } from "../context.ts";
import { errorObject } from "../errors.ts";
import { eventualJson } from "../eventual-json.ts";
import { contentText } from "../prompt/index.ts";
import type { Wire } from "../wire.ts";
import type { KeptItem, KeptMessage } from "./kept-items.ts";
import type { ResponsesApiParts } from "./options.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { compactBody } from "./schema.ts";
import type { compactedResponse } from "./wire-answers.ts";
import { wireUsage } from "./writer.ts";

export async function compact(api: ResponsesApiParts, call: Call, request: Request): Promise<Response> {
  const body = parseBody(compactBody, await readBody(request, api.context.limits));
  const prepared = await prepare(
    api,
    { ...body, truncation: "auto", max_output_tokens: summaryTokens, store: false },
    { keyName: call.key },
  );
  return eventualJson({
    call,
    work: compacted(api, call, prepared),
    lateError: (error) => ({ error: errorObject(error) }),
    afterMs: api.context.limits.earlyHeadersMs,
  });
}

/** Of the summary, the model's thoughts about it included. */
const summaryTokens = 4096;

const task =
  "Summarize the conversation so far for somebody who has to continue it without having seen it: what the user wants, " +
  "what was found out and decided, names, numbers and file paths that matter, and what remains to be done. " +
  "Write only the summary.";

async function compacted(
  api: ResponsesApiParts,
  call: Call,
  prepared: Prepared,
): Promise<Wire<typeof compactedResponse>> {
  const { context, seal } = api;
  const { summary, usage } = await summarize(api, call, prepared);
  const text = `Summary of the conversation so far:\n\n${summary}`;
  const items = [...prepared.before, ...prepared.items];
  return {
    id: context.newId("resp"),
    object: "response.compaction",
    created_at: Math.floor(context.now() / 1000),
    output: [
      ...keptUserMessages(items, prepared.model.tokenizer),
      {
        type: "compaction",
        id: context.newId("cmp"),
        encrypted_content: await seal.seal("compaction", text),
      },
    ],
    usage: wireUsage(usage),
  };
}

interface Summary {
  readonly summary: string;
  readonly usage: Usage;
}

async function summarize(
  { context }: ResponsesApiParts,
  call: Call,
  { model, request }: Prepared,
): Promise<Summary> {
  const messages: Message[] = [...request.messages, { role: "user", content: task }];
  const run = await context.startRun({
    call,
    model,
    api: "responses",
    request: { ...request, messages, effort: "low", signal: call.signal },
  });
  const { text, usage } = await fold(run.events);
  return { summary: text.trim() === "" ? extract(request.messages) : text.trim(), usage };
}

const extractLetters = 4000;

/** Where the model found no words: the end of what was said, as it was said. */
function extract(messages: readonly Message[]): string {
  const lines = messages.flatMap((message) => {
    const isShown =
      (message.role === "user" || message.role === "assistant") && message.channel !== "analysis";
    return isShown ? [`${message.role}: ${textOf(message)}`] : [];
  });
  return lines.join("\n").slice(-extractLetters);
}

/** The user's own words weigh most. The latest are kept, as many as this many tokens hold. */
const keptTokens = 20_000;

function keptUserMessages(items: readonly KeptItem[], tokenizer: Tokenizer): KeptMessage[] {
  const kept: KeptMessage[] = [];
  let left = keptTokens;
  for (const item of items.toReversed()) {
    if (item.type !== "message" || item.role !== "user") continue;
    left -= tokenizer.encode(contentText(item.content, { media: "placeholder", param: "input" })).length;
    if (left < 0) break;
    kept.unshift(item);
  }
  return kept;
}
