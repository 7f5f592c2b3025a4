// What models sampled lately, found again when a client sends it back: the thoughts before a function call, by call id,
// for clients that drop them; and the tokens of a message, by its text, so that a prompt repeats exactly what is cached.
// Bounded by bytes, the least recently used first out. What was sampled for one API key is found with that key only.
// Knows no wire format.

import type { AgentEvent, SampledMemory } from "../agent/index.ts";
import type { AssistantMessage } from "../harmony/index.ts";
import type { TokenId } from "../tokenizer/index.ts";

export type SampledText = AssistantMessage & { readonly content: string };

/** A message with the tokens in which it was sampled; a message that the parser had to repair has none. */
export interface SampledMessage {
  readonly message: SampledText;
  readonly tokens?: readonly TokenId[];
}

export interface RememberedCall extends SampledMessage {
  /** The analysis since the call, or the answer, before it. */
  readonly thoughts: readonly SampledMessage[];
}

/** What one model sampled for callers with one key, or without a key. */
export interface Thoughts {
  /** What a run's events go through; `memory` is the one that was given to the run. */
  record(memory: SampledMemory): { add(event: AgentEvent): void };
  call(callId: string): RememberedCall | undefined;
  /** The tokens of a message without a recipient. */
  tokens(channel: string, text: string): readonly TokenId[] | undefined;
}

export interface ThoughtMemory {
  of(modelId: string, keyName: string | undefined): Thoughts;
  /** About, of what is kept. */
  readonly bytes: number;
}

export interface ThoughtMemoryOptions {
  /** Default 64 MiB. */
  readonly maxBytes?: number;
}

type Entry =
  | { readonly call: RememberedCall; readonly bytes: number }
  | { readonly tokens: readonly TokenId[]; readonly bytes: number };

export function createThoughtMemory(options: ThoughtMemoryOptions = {}): ThoughtMemory {
  const { maxBytes = 64 * 2 ** 20 } = options;
  // A Map keeps the order of insertion: the first is the one used longest ago.
  const entries = new Map<string, Entry>();
  let bytes = 0;

  const remove = (key: string): void => {
    bytes -= entries.get(key)?.bytes ?? 0;
    entries.delete(key);
  };
  const put = (key: string, entry: Entry): void => {
    remove(key);
    entries.set(key, entry);
    bytes += entry.bytes;
    for (const oldest of entries.keys()) {
      if (bytes <= maxBytes) break;
      remove(oldest);
    }
  };
  const find = (key: string): Entry | undefined => {
    const entry = entries.get(key);
    if (!entry) return undefined;
    entries.delete(key);
    entries.set(key, entry);
    return entry;
  };

  return {
    of(modelId, keyName) {
      const callKey = (callId: string): string => JSON.stringify([keyName, modelId, callId]);
      const textKey = (channel: string, text: string): string =>
        JSON.stringify([keyName, modelId, channel, text]);
      const putText = ({ message, tokens }: SampledMessage): void => {
        if (!tokens) return;
        const key = textKey(message.channel ?? "", message.content);
        put(key, { tokens, bytes: 2 * key.length + tokenBytes * tokens.length });
      };
      return {
        record: (memory) =>
          recorder(memory, {
            text: putText,
            call: (callId, call) => put(callKey(callId), { call, bytes: sizeOf(call) }),
          }),
        call(callId) {
          const entry = find(callKey(callId));
          return entry && "call" in entry ? entry.call : undefined;
        },
        tokens(channel, text) {
          const entry = find(textKey(channel, text));
          return entry && "tokens" in entry ? entry.tokens : undefined;
        },
      };
    },
    get bytes() {
      return bytes;
    },
  };
}

const tokenBytes = 8;

const sizeOf = ({ thoughts, ...call }: RememberedCall): number =>
  [call, ...thoughts].reduce(
    (sum, { message, tokens = [] }) => sum + 200 + 2 * message.content.length + tokenBytes * tokens.length,
    0,
  );

interface Sink {
  text(sampled: SampledMessage): void;
  call(callId: string, call: RememberedCall): void;
}

/** A run knows the tokens of its messages only after the turn's end, so what was said waits for the next event. */
function recorder(memory: SampledMemory, sink: Sink): { add(event: AgentEvent): void } {
  let said: { readonly message: SampledText; readonly callId?: string }[] = [];
  let thoughts: SampledMessage[] = [];

  const settle = (): void => {
    for (const { message, callId } of said) {
      const tokens = memory.get(message);
      const sampled = { message, ...(tokens && { tokens }) };
      if (callId !== undefined) sink.call(callId, { ...sampled, thoughts });
      else sink.text(sampled);
      if (callId === undefined && message.channel === "analysis") thoughts.push(sampled);
      // A plan that is told to the user before a call does not end the thoughts about it.
      else if (callId !== undefined || message.channel !== "commentary") thoughts = [];
    }
    said = [];
  };

  const add = (event: AgentEvent): void => {
    switch (event.type) {
      case "reasoning-end":
      case "preamble-end":
      case "text-end":
        if (event.isComplete) said.push({ message: event.message });
        break;
      case "tool-call-end":
        if (event.isComplete) said.push({ message: event.call.message, callId: event.call.id });
        break;
      case "turn-start":
      case "run-end":
        settle();
        break;
      case "turn-end":
      case "reasoning-start":
      case "reasoning-delta":
      case "preamble-start":
      case "preamble-delta":
      case "text-start":
      case "text-delta":
      case "tool-call-start":
      case "tool-call-delta":
      case "tool-result":
      case "note":
        break;
      default:
        event satisfies never;
    }
  };
  return { add };
}
