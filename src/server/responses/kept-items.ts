// Items as they are kept and given back: every one has an id, contents are lists of parts, and nothing is left of the
// spellings in which clients sent them. What a model answered is kept as it is; it has this form already.

import type { InputItem, MessageInput } from "./schema-items.ts";
import type { ReasoningText, SummaryText } from "./wire.ts";

export interface KeptPart {
  readonly type: string;
  readonly text?: string | undefined;
  readonly refusal?: string | undefined;
  readonly annotations?: readonly unknown[];
  readonly image_url?: unknown;
  readonly detail?: unknown;
}

export interface KeptMessage {
  readonly type: "message";
  readonly id: string;
  readonly status: string;
  readonly role: "user" | "assistant" | "system" | "developer";
  readonly content: readonly KeptPart[];
  readonly phase?: "commentary" | "final_answer";
}

export interface KeptReasoning {
  readonly type: "reasoning";
  readonly id: string;
  readonly status: string;
  readonly summary: readonly SummaryText[];
  readonly content: readonly ReasoningText[];
  readonly encrypted_content?: string;
}

export interface KeptCall {
  readonly type: "function_call";
  readonly id: string;
  readonly status: string;
  readonly call_id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly arguments: string;
}

export interface KeptCallOutput {
  readonly type: "function_call_output";
  readonly id: string;
  readonly status: string;
  readonly call_id: string;
  readonly output: string | readonly KeptPart[];
}

export interface KeptCompaction {
  readonly type: "compaction";
  readonly id: string;
  readonly encrypted_content: string;
}

export type KeptItem = KeptMessage | KeptReasoning | KeptCall | KeptCallOutput | KeptCompaction;

export type NewId = (prefix: string) => string;

/** What a reference refers to has to be looked up, and what is skipped is not kept. */
export type OwnInputItem = Exclude<InputItem, { type: "item_reference" | null }>;

/** Undefined for items that are skipped. */
export function keptItem(item: OwnInputItem, newId: NewId): KeptItem | undefined {
  switch (item.type) {
    case undefined:
    case "message":
      return keptMessage(item, newId);
    case "reasoning":
      return {
        type: "reasoning",
        id: item.id ?? newId("rs"),
        status: "completed",
        summary: (item.summary ?? []).map(({ text }) => ({ type: "summary_text", text })),
        content: (item.content ?? []).map(({ text }) => ({ type: "reasoning_text", text })),
        ...(item.encrypted_content != null && { encrypted_content: item.encrypted_content }),
      };
    case "function_call": {
      const { call_id, name, namespace, arguments: text, status } = item;
      const id = item.id ?? newId("fc");
      const grouped = namespace == null ? { name } : { name, namespace };
      return { type: item.type, id, status: status ?? "completed", call_id, ...grouped, arguments: text };
    }
    case "function_call_output": {
      const { call_id, output } = item;
      return { type: item.type, id: item.id ?? newId("fco"), status: "completed", call_id, output };
    }
    case "compaction":
      return {
        type: item.type,
        id: item.id ?? newId("cmp"),
        encrypted_content: item.encrypted_content,
      };
    default:
      return undefined;
  }
}

function keptMessage({ id, role, content, phase }: MessageInput, newId: NewId): KeptMessage {
  const isOutput = role === "assistant";
  const parts: readonly KeptPart[] = typeof content === "string" ? [textPart(content, isOutput)] : content;
  return {
    type: "message",
    id: id ?? newId("msg"),
    status: "completed",
    role,
    content: parts.map(wholePart),
    ...(phase != null && { phase }),
  };
}

const textPart = (text: string, isOutput: boolean): KeptPart => ({
  type: isOutput ? "output_text" : "input_text",
  text,
});

/** With the keys that clients may leave out and expect to read. */
function wholePart(part: KeptPart): KeptPart {
  if (part.type === "output_text") return { annotations: [], ...part };
  return part.type === "input_image" ? { image_url: null, detail: "auto", ...part } : part;
}

export function userMessage(text: string, newId: NewId): KeptMessage {
  return keptMessage({ role: "user", content: text }, newId);
}
