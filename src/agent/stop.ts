// Stop strings: text of an answer, or of what is said before calls, that ends the run and is not shown. Works on events,
// so that a match may be split over any number of tokens; never looks into reasoning or arguments, where the same text
// means something else.

import { GptOssError } from "../base/index.ts";
import type { AgentEvent, MessageKind, SampledLogprob } from "./events.ts";

export interface StopFilter {
  /** What of these may be said. A delta waits as long as it may be the beginning of a match. */
  add(events: readonly AgentEvent[]): AgentEvent[];
  /** From here on, nothing is said any more. */
  readonly isMatched: boolean;
}

export function checkStop(stop: readonly string[]): void {
  if (stop.every((text) => typeof text === "string" && text !== "")) return;
  throw new GptOssError("agent/bad-stop", {
    message: "a stop string is empty, and would end every answer before it began",
    hint: "leave it out",
  });
}

/** Text that is still held, and the tokens behind it. */
interface Piece {
  text: string;
  readonly logprobs: readonly SampledLogprob[];
}

type TextKind = Exclude<MessageKind, "reasoning">;
type TextDelta = Extract<AgentEvent, { type: "text-delta" | "preamble-delta" }>;

export function createStopFilter(stop: readonly string[]): StopFilter {
  let isMatched = false;
  let said = "";
  let held: Piece[] = [];

  /** The first `length` characters of what is held. */
  function say(kind: TextKind, length: number): AgentEvent[] {
    const events: AgentEvent[] = [];
    let rest = length;
    while (rest > 0) {
      const { text, logprobs } = held[0];
      const part = text.slice(0, rest);
      rest -= part.length;
      if (part.length === text.length) held.shift();
      else held[0] = { text: text.slice(part.length), logprobs: [] };
      said += part;
      events.push({ type: `${kind}-delta`, text: part, ...(logprobs.length > 0 && { logprobs }) });
    }
    return events;
  }

  function hear(kind: TextKind, { text, logprobs = [] }: TextDelta): AgentEvent[] {
    held.push({ text, logprobs });
    const waiting = held.map((piece) => piece.text).join("");
    const at = firstMatch(waiting, stop);
    if (at === undefined) return say(kind, waiting.length - possibleStart(waiting, stop));
    const events = say(kind, at);
    isMatched = true;
    const channel = kind === "text" ? "final" : "commentary";
    const message = { role: "assistant", channel, content: said } as const;
    return [...events, { type: `${kind}-end`, message, isComplete: true }];
  }

  function filter(event: AgentEvent): AgentEvent[] {
    if (isMatched) return [];
    switch (event.type) {
      case "text-start":
      case "preamble-start":
        said = "";
        held = [];
        return [event];
      case "text-delta":
        return hear("text", event);
      case "preamble-delta":
        return hear("preamble", event);
      case "text-end":
      case "preamble-end": {
        const kind = event.type === "text-end" ? "text" : "preamble";
        return [...say(kind, lengthOf(held)), event];
      }
      default:
        return [event];
    }
  }

  return {
    get isMatched() {
      return isMatched;
    },
    add: (events) => (stop.length === 0 ? [...events] : events.flatMap(filter)),
  };
}

const lengthOf = (pieces: readonly Piece[]): number => pieces.reduce((sum, { text }) => sum + text.length, 0);

function firstMatch(text: string, stop: readonly string[]): number | undefined {
  const places = stop.map((one) => text.indexOf(one)).filter((place) => place >= 0);
  return places.length === 0 ? undefined : Math.min(...places);
}

/** How many characters at the end of a text may be the beginning of a match. */
function possibleStart(text: string, stop: readonly string[]): number {
  const longest = Math.max(...stop.map((one) => one.length)) - 1;
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(text.length - length);
    if (stop.some((one) => one.length > length && one.startsWith(end))) return length;
  }
  return 0;
}
