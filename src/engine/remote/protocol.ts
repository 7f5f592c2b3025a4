// What an engine in another thread and its users say to each other, as structured-cloneable messages over one port.
// Streams are numbered by the user's side. A stream is read ahead by so many events as its user granted; each read
// grants more, so that a slow reader pauses its request, and nobody's buffer grows.

import type { WireError } from "../../base/index.ts";
import type { GenerateEvent, GenerateRequest } from "../engine.ts";
import type { EngineStatus } from "../status.ts";

/** One end of a channel: a `MessagePort` of Node or of a browser. */
export interface EnginePort {
  postMessage(message: unknown): void;
  /** Events have the message in `data`. */
  addEventListener(type: "message", listener: (event: object) => void): void;
  /** Messages that came before wait until then. */
  start(): void;
  close(): void;
}

export function listen<Message>(port: EnginePort, receive: (message: Message) => void): void {
  port.addEventListener("message", (event) => receive((event as { readonly data: Message }).data));
  port.start();
}

export type ToEngine =
  | {
      readonly type: "generate";
      readonly id: number;
      readonly request: Omit<GenerateRequest, "signal">;
      readonly credit: number;
    }
  /** The user read so many events. */
  | { readonly type: "credit"; readonly id: number; readonly count: number }
  /** The request's signal: the stream still ends with an event. */
  | { readonly type: "abort"; readonly id: number }
  /** Nobody reads the stream any more. */
  | { readonly type: "leave"; readonly id: number }
  | { readonly type: "close" };

export type FromEngine =
  | {
      readonly type: "open";
      readonly contextLength: number;
      readonly vocabularySize: number;
      readonly status: EngineStatus;
    }
  /** What one step gave, to all streams: messages are not free. The status comes now and then, and when all is quiet. */
  | { readonly type: "progress"; readonly streams: readonly StreamProgress[]; readonly status?: EngineStatus }
  | { readonly type: "closed"; readonly status: EngineStatus };

export interface StreamProgress {
  readonly id: number;
  readonly events: readonly WireEvent[];
  /** No more will come, after an error if there is one. */
  readonly end?: { readonly error?: WireError };
}

/** A token without log-probabilities is just its number. */
export type WireEvent = number | GenerateEvent;

export function toWire(event: GenerateEvent): WireEvent {
  return event.type === "token" && event.logprob === undefined ? event.token : event;
}

export function fromWire(event: WireEvent): GenerateEvent {
  return typeof event === "number" ? { type: "token", token: event } : event;
}
