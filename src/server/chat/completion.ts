// The bodies of Chat Completions: chunks of a stream, and the completion that they fold to.

import type { Usage } from "../../agent/index.ts";
import type { Interleaved } from "../interleave.ts";
import { wireUsage } from "../usage.ts";
import type { WireLogprob } from "../wire.ts";
import type { ChoiceDelta } from "./deltas.ts";
import type { ChatChunk, ChatCompletion, ChatFinishReason, ChatMessage, ToolCallDelta } from "./wire.ts";

/** What all chunks of a completion have in common. */
export interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
  readonly system_fingerprint: string;
}

export function chunkOf(head: Head, { index, value }: Interleaved<ChoiceDelta>): ChatChunk {
  const { delta, logprobs, finish_reason } = value;
  return {
    ...chunkHead(head),
    choices: [{ index, delta, logprobs, finish_reason }],
  };
}

export const usageChunk = (head: Head, usages: readonly Usage[]): ChatChunk => ({
  ...chunkHead(head),
  choices: [],
  usage: wireUsage(usages),
});

const chunkHead = ({ id, created, model, system_fingerprint }: Head) => ({
  id,
  object: "chat.completion.chunk" as const,
  created,
  model,
  system_fingerprint,
  service_tier: "default",
});

interface Choice {
  content: string;
  reasoning: string;
  readonly calls: { id: string; name: string; arguments: string }[];
  functionCall: { name: string; arguments: string } | undefined;
  readonly logprobs: WireLogprob[];
  finishReason: ChatFinishReason | null;
  usage: Usage | undefined;
}

export interface CompletionFold {
  add(delta: Interleaved<ChoiceDelta>): void;
  completion(head: Head): ChatCompletion;
}

export function createCompletionFold(choiceCount: number, withLogprobs: boolean): CompletionFold {
  const choices = Array.from({ length: choiceCount }, newChoice);
  return {
    add({ index, value }) {
      const choice = choices[index];
      const { delta, logprobs, finish_reason, usage } = value;
      choice.content += delta.content ?? "";
      choice.reasoning += delta.reasoning ?? "";
      for (const call of delta.tool_calls ?? []) addCall(choice, call);
      const { function_call: part } = delta;
      if (part) {
        choice.functionCall ??= { name: part.name ?? "", arguments: "" };
        choice.functionCall.arguments += part.arguments;
      }
      for (const one of logprobs?.content ?? []) choice.logprobs.push(one);
      choice.finishReason = finish_reason ?? choice.finishReason;
      choice.usage = usage ?? choice.usage;
    },
    completion: ({ id, created, model, system_fingerprint }) => ({
      id,
      object: "chat.completion",
      created,
      model,
      choices: choices.map((choice, index) => ({
        index,
        message: messageOf(choice),
        logprobs: withLogprobs ? { content: choice.logprobs, refusal: null } : null,
        finish_reason: choice.finishReason,
      })),
      usage: wireUsage(choices.flatMap(({ usage }) => usage ?? [])),
      system_fingerprint,
      service_tier: "default",
    }),
  };
}

const newChoice = (): Choice => ({
  content: "",
  reasoning: "",
  calls: [],
  functionCall: undefined,
  logprobs: [],
  finishReason: null,
  usage: undefined,
});

function addCall({ calls }: Choice, { index, id, function: part }: ToolCallDelta): void {
  calls[index] ??= { id: id ?? "", name: part.name ?? "", arguments: "" };
  calls[index].arguments += part.arguments;
}

function messageOf({ content, reasoning, calls, functionCall }: Choice): ChatMessage {
  const hasCall = calls.length > 0 || functionCall !== undefined;
  return {
    role: "assistant",
    content: content === "" && hasCall ? null : content,
    refusal: null,
    ...(reasoning !== "" && { reasoning, reasoning_content: reasoning }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ id, name, arguments: text }) => ({
        id,
        type: "function" as const,
        function: { name, arguments: text },
      })),
    }),
    ...(functionCall && { function_call: functionCall }),
    annotations: [],
  };
}
