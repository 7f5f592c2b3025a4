// A run's events as the deltas of one choice. Streaming sends them as they come; not streaming folds them.

import type { AgentEvent, RunEnd, Usage } from "../../agent/index.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { callArguments, wireLogprob } from "../prompt/index.ts";
import type { ChatFinishReason, ChatLogprobs, MessageDelta } from "./wire.ts";

export interface ChoiceDelta {
  readonly delta: MessageDelta;
  readonly logprobs: ChatLogprobs;
  readonly finish_reason: ChatFinishReason | null;
  /** With the last delta. */
  readonly usage?: Usage;
}

export interface DeltaOptions {
  readonly tokenizer: Tokenizer;
  readonly functionNames: ReadonlySet<string>;
  readonly isLegacy: boolean;
  readonly showsReasoning: boolean;
  readonly withLogprobs: boolean;
}

/** What an aborted run throws: the reason why it was. */
export type WhyAborted = () => unknown;

export async function* choiceDeltas(
  events: AsyncIterable<AgentEvent>,
  options: DeltaOptions,
  whyAborted: WhyAborted,
): AsyncGenerator<ChoiceDelta, void> {
  const translate = createTranslation(options);
  yield plain({ role: "assistant", content: "" });
  for await (const event of events) {
    if (event.type === "run-end") yield lastDelta(event, options, whyAborted);
    else yield* translate(event);
  }
}

const plain = (delta: MessageDelta): ChoiceDelta => ({ delta, logprobs: null, finish_reason: null });

function lastDelta(end: RunEnd, { isLegacy }: DeltaOptions, whyAborted: WhyAborted): ChoiceDelta {
  const { finishReason, usage } = end;
  if (finishReason === "aborted") throw whyAborted();
  const called = isLegacy ? "function_call" : "tool_calls";
  return { ...plain({}), finish_reason: finishReason === "tool-calls" ? called : finishReason, usage };
}

function createTranslation(options: DeltaOptions): (event: AgentEvent) => ChoiceDelta[] {
  const { functionNames, isLegacy, tokenizer } = options;
  const indexes = new Map<string, number>();
  const thoughts = createJoiner((text) => plain({ reasoning: text, reasoning_content: text }));
  const content = createJoiner((text) => plain({ content: text }));

  function call(id: string, part: { readonly name?: string; readonly arguments: string }): ChoiceDelta[] {
    const index = indexes.get(id);
    if (index === undefined) return [];
    if (isLegacy) return [plain({ function_call: part })];
    const head = part.name === undefined ? {} : ({ id, type: "function" } as const);
    return [plain({ tool_calls: [{ index, ...head, function: part }] })];
  }

  return (event) => {
    switch (event.type) {
      case "reasoning-start":
        thoughts.begin();
        return [];
      case "text-start":
      case "preamble-start":
        content.begin();
        return [];
      case "reasoning-delta":
        return options.showsReasoning ? thoughts.add(event.text) : [];
      case "text-delta":
      case "preamble-delta": {
        const deltas = content.add(event.text);
        if (!options.withLogprobs || !event.logprobs) return deltas;
        const logprobs = event.logprobs.map((one) => wireLogprob(tokenizer, one));
        return deltas.with(-1, { ...deltas.at(-1)!, logprobs: { content: logprobs, refusal: null } });
      }
      case "tool-call-start":
        // Of a tool that nobody offered: the model is told so, and it is nothing for the client.
        if (!functionNames.has(event.name)) return [];
        indexes.set(event.id, indexes.size);
        return call(event.id, { name: event.name, arguments: "" });
      case "tool-call-delta":
        return call(event.id, { arguments: event.text });
      case "tool-call-end": {
        const { id, arguments: written } = event.call;
        const text = callArguments(written);
        return text === written || !event.isComplete ? [] : call(id, { arguments: text });
      }
      case "reasoning-end":
      case "text-end":
      case "preamble-end":
      case "tool-result":
      case "turn-start":
      case "turn-end":
      case "note":
      case "run-end":
        return [];
      default:
        return event satisfies never;
    }
  };
}

/** Several messages of a run become one text, with a blank line between. */
function createJoiner(deltaOf: (text: string) => ChoiceDelta) {
  let hasText = false;
  let isNew = false;
  return {
    begin: () => {
      isNew = hasText;
    },
    add(text: string): ChoiceDelta[] {
      const separator = isNew ? [deltaOf("\n\n")] : [];
      isNew = false;
      hasText = true;
      return [...separator, deltaOf(text)];
    },
  };
}
