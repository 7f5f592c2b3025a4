// What this server sends is what OpenAI's own client says it receives: checked by `npm run typecheck`, nothing runs here.
// Fields of ours that are `unknown` pass; recorded streams and schemas look at those.

import type { OpenAI } from "openai";
import type { ChoiceDelta } from "../../src/server/chat/deltas.ts";
import type { OutputItem, ResponseObject, StreamEvent, WireUsage } from "../../src/server/responses/wire.ts";
import type { WireUsage as ChatUsage } from "../../src/server/usage.ts";

/** Without `readonly`, which the client's types do not know. */
type Received<T> = unknown extends T
  ? // biome-ignore lint/suspicious/noExplicitAny: any is what assigns to everything, as JSON that nobody typed does
    any
  : T extends readonly (infer Item)[]
    ? Received<Item>[]
    : T extends object
      ? { -readonly [Key in keyof T]: Received<T[Key]> }
      : T;

type Fits<Sent extends Expected, Expected> = [Sent, Expected] extends [never, never] ? never : true;

/**
 * `output_text` is added by the client, `usage` is null while a response runs, `access_programs` is about OpenAI's own accounts, `reasoning`, `text` and
 * `service_tier` say what was asked, and codes of errors go beyond OpenAI's list.
 */
type Left = "output_text" | "access_programs" | "reasoning" | "text" | "service_tier" | "usage" | "error";
type OpenAiResponse = Omit<OpenAI.Responses.Response, Left> & {
  error: { code: string; message: string } | null;
};

/** An event with several types as so many events with one. */
type Each<Event extends { type: string }> = Event extends { type: infer Type }
  ? Type extends string
    ? Omit<Event, "type"> & { type: Type }
    : never
  : never;

type OpenAiEvent<Event = OpenAI.Responses.ResponseStreamEvent> = Event extends { response: unknown }
  ? Omit<Event, "response"> & { response: OpenAiResponse }
  : Event;

export type ResponseFits = Fits<Received<ResponseObject>, OpenAiResponse>;
export type ItemFits = Fits<Received<OutputItem>, OpenAI.Responses.ResponseOutputItem>;
export type UsageFits = Fits<Received<WireUsage>, OpenAI.Responses.ResponseUsage>;
export type EventFits = Fits<Each<Received<StreamEvent>>, OpenAiEvent>;

type ChatChoice = Omit<OpenAI.ChatCompletionChunk.Choice, "index">;
export type DeltaFits = Fits<Received<ChoiceDelta>, ChatChoice>;
export type ChatUsageFits = Fits<Received<ChatUsage>, OpenAI.CompletionUsage>;

// @ts-expect-error a response without its output is none: the check above can fail
export type Wrong = Fits<Omit<Received<ResponseObject>, "output">, OpenAiResponse>;
