// Events as a client reads them: under the names that it knows, as server-sent events, with a sign of life where nothing
// happens for long.

import { sseDone, sseFrame, withHeartbeat } from "../sse.ts";
import type { ReasoningEvents } from "./options.ts";
import type { StreamEvent } from "./wire.ts";

/** The header comes with clients of Open Responses. */
export function reasoningEventsOf(headers: Headers, configured: ReasoningEvents): ReasoningEvents {
  return headers.has("openresponses-version") ? "reasoning" : configured;
}

export interface FrameOptions {
  readonly mode: ReasoningEvents;
  readonly everyMs: number;
  /** Undefined: only a comment. */
  readonly heartbeat: () => StreamEvent | undefined;
}

export async function* sseFrames(
  events: AsyncIterable<StreamEvent>,
  { mode, everyMs, heartbeat }: FrameOptions,
): AsyncGenerator<string, void> {
  const beat = (): string => {
    const event = heartbeat();
    return event ? frame(event) : ping;
  };
  yield* withHeartbeat(framesOf(events, mode), { everyMs, beat });
  yield sseDone;
}

const ping = ": ping\n\n";
const frame = (event: object & { readonly type: string }): string => sseFrame(event, event.type);

async function* framesOf(
  events: AsyncIterable<StreamEvent>,
  mode: ReasoningEvents,
): AsyncGenerator<string, void> {
  for await (const event of events) {
    const shown = shownAs(event, mode);
    if (shown) yield frame(shown);
  }
}

/** What the client's version of the format calls this event; undefined where it has none. */
export function shownAs(
  event: StreamEvent,
  mode: ReasoningEvents,
): (object & { readonly type: string }) | undefined {
  if (event.type !== "response.reasoning_text.delta" && event.type !== "response.reasoning_text.done")
    return event;
  switch (mode) {
    case "reasoning_text":
      return event;
    case "reasoning":
      return { ...event, type: event.type.replace("reasoning_text", "reasoning") };
    case "none":
      return undefined;
    default:
      return mode satisfies never;
  }
}
