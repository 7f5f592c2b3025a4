// From a run's events to the AI SDK's stream parts, and from those to the content of an answer. Every block has a start,
// deltas and an end under one id; calls that the agent settles by itself are not shown.

import type {
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3ResponseMetadata,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
  SharedV3Warning,
} from "@ai-sdk/provider";
import type { AgentEvent, AssistantText, RunEnd, ToolSet, Usage } from "../agent/index.ts";
import type { Memory } from "./memory.ts";
import { metadataOf, type PartMetadata } from "./metadata.ts";

export interface PartsOptions {
  readonly memory: Memory;
  /** Calls of these are the application's to answer. */
  readonly tools: ToolSet;
  /** The text is JSON for a parser, so nothing else may stand in it. */
  readonly isJson: boolean;
}

export type PartsOf = (event: AgentEvent) => LanguageModelV3StreamPart[];

export function createParts({ memory, tools, isJson }: PartsOptions): PartsOf {
  let block: Block = { type: "text", id: "" };
  let thoughts: AssistantText[] = [];
  const calls = new Set<string>();

  const start = (type: Block["type"], phase?: "commentary"): LanguageModelV3StreamPart[] => {
    block = { type, id: newId(), ...(phase && { phase }) };
    return [{ type: `${type}-start`, id: block.id, providerMetadata: metadataOf(block) }];
  };
  const end = (message: AssistantText): LanguageModelV3StreamPart[] => {
    memory.remember(block.id, { message, thoughts: [] });
    return [{ type: `${block.type}-end`, id: block.id, providerMetadata: metadataOf(block) }];
  };

  return (event) => {
    switch (event.type) {
      case "turn-start":
        thoughts = [];
        return [];
      case "reasoning-start":
        return start("reasoning");
      case "preamble-start":
        return start(isJson ? "reasoning" : "text", "commentary");
      case "text-start":
        return start("text");
      case "reasoning-delta":
      case "preamble-delta":
      case "text-delta":
        return event.text === "" ? [] : [{ type: `${block.type}-delta`, id: block.id, delta: event.text }];
      case "reasoning-end":
        thoughts.push(event.message);
        return end(event.message);
      case "preamble-end":
      case "text-end":
        return end(event.message);
      case "tool-call-start":
        if (!Object.hasOwn(tools, event.name)) return [];
        calls.add(event.id);
        return [{ type: "tool-input-start", id: event.id, toolName: event.name }];
      case "tool-call-delta":
        return calls.has(event.id) ? [{ type: "tool-input-delta", id: event.id, delta: event.text }] : [];
      case "tool-call-end": {
        const { id, name, message } = event.call;
        if (!calls.has(id)) return [];
        const inputEnd = { type: "tool-input-end", id } as const;
        if (!event.isComplete) return [inputEnd];
        memory.remember(id, { message, thoughts });
        const input = event.call.arguments.trim() || "{}";
        return [inputEnd, { type: "tool-call", toolCallId: id, toolName: name, input }];
      }
      case "run-end":
        return [{ type: "finish", finishReason: toFinishReason(event), usage: toUsage(event.usage) }];
      case "tool-result":
      case "note":
      case "turn-end":
        return [];
      default:
        return event satisfies never;
    }
  };
}

interface Block extends PartMetadata {
  readonly type: "text" | "reasoning";
  readonly id: string;
}

export const newId = (prefix = "msg"): string => `${prefix}_${crypto.randomUUID().replaceAll("-", "")}`;

function toFinishReason({ finishReason: raw }: RunEnd): LanguageModelV3FinishReason {
  return { unified: raw === "aborted" ? "other" : raw, raw };
}

function toUsage(usage: Usage): LanguageModelV3Usage {
  const { promptTokens, cachedTokens, outputTokens, reasoningTokens } = usage;
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: {
      total: outputTokens,
      text: outputTokens - reasoningTokens,
      reasoning: reasoningTokens,
    },
    raw: { ...usage },
  };
}

/** For a run that ended in an error. */
export const unknownUsage: LanguageModelV3Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
};

/** Not streaming is a fold of the stream. */
export async function foldParts(
  parts: AsyncIterable<LanguageModelV3StreamPart>,
): Promise<LanguageModelV3GenerateResult> {
  const content: LanguageModelV3Content[] = [];
  const warnings: SharedV3Warning[] = [];
  let response: LanguageModelV3ResponseMetadata = {};
  let finish: Pick<LanguageModelV3GenerateResult, "finishReason" | "usage"> = {
    finishReason: { unified: "error", raw: undefined },
    usage: unknownUsage,
  };
  for await (const part of parts) {
    switch (part.type) {
      case "stream-start":
        warnings.push(...part.warnings);
        break;
      case "response-metadata": {
        const { type: _, ...metadata } = part;
        response = metadata;
        break;
      }
      case "text-start":
      case "reasoning-start": {
        const type = part.type === "text-start" ? "text" : "reasoning";
        content.push({
          type,
          text: "",
          ...(part.providerMetadata && { providerMetadata: part.providerMetadata }),
        });
        break;
      }
      case "text-delta":
      case "reasoning-delta": {
        const open = content.at(-1);
        if (open?.type === "text" || open?.type === "reasoning") open.text += part.delta;
        break;
      }
      case "tool-call":
        content.push(part);
        break;
      case "finish":
        finish = { finishReason: part.finishReason, usage: part.usage };
        break;
      default: // ends, the pieces of a call's arguments, raw events
        break;
    }
  }
  return { content, warnings, response, ...finish };
}
