// The input of a request as what was said: references looked up, sealed thoughts opened, earlier responses before it.

import { HttpError } from "../errors.ts";
import { contentText, type MediaPolicy, type Said } from "../prompt/index.ts";
import { qualifiedName } from "./functions.ts";
import { type KeptItem, type KeptMessage, keptItem, type NewId, userMessage } from "./kept-items.ts";
import { chainItems, type Lookup } from "./lookup.ts";
import type { InputItem } from "./schema-items.ts";
import type { Seal } from "./seal.ts";

export interface InputOptions {
  readonly lookup: Lookup;
  readonly seal: Seal;
  readonly media: MediaPolicy;
  readonly newId: NewId;
}

export interface InputFields {
  readonly input?: string | readonly InputItem[] | null | undefined;
  readonly previous_response_id?: string | null | undefined;
}

export interface ReadInput {
  /** Of this request. */
  readonly items: readonly KeptItem[];
  /** Of the responses before it. */
  readonly before: readonly KeptItem[];
  /** All of it, oldest first. */
  readonly said: readonly Said[];
}

/** Throws 400 and 404 with the place of what is wrong. */
export async function readInput(fields: InputFields, options: InputOptions): Promise<ReadInput> {
  const { input, previous_response_id: previous } = fields;
  if (input == null && previous == null) {
    const message = "Missing required parameter: 'input'.";
    throw new HttpError(400, { code: "missing_required_parameter", param: "input", message });
  }
  const before = previous == null ? [] : await chainItems(previous, options.lookup);
  const own = await ownItems(input ?? [], options);
  const placed = [...before.map((item) => ({ item, param: "previous_response_id" })), ...own];
  const said = await Promise.all(placed.map((one) => saidOf(one, options)));
  return { items: own.map(({ item }) => item), before, said: said.flat() };
}

interface Placed {
  readonly item: KeptItem;
  readonly param: string;
}

async function ownItems(input: string | readonly InputItem[], options: InputOptions): Promise<Placed[]> {
  if (typeof input === "string") return [{ item: userMessage(input, options.newId), param: "input" }];
  const items = await Promise.all(
    input.map(async (item, index) => {
      const param = `input[${index}]`;
      const kept = isReference(item)
        ? await referredItem(item.id, param, options)
        : keptItem(item, options.newId);
      return kept ? [{ item: kept, param }] : [];
    }),
  );
  return items.flat();
}

type Reference = Extract<InputItem, { type: "item_reference" | null }>;
const isReference = (item: InputItem): item is Reference =>
  item.type === "item_reference" || item.type === null;

/** Clients refer to thoughts that they hope are here; an answer without them is better than none. */
async function referredItem(
  id: string,
  param: string,
  { lookup }: InputOptions,
): Promise<KeptItem | undefined> {
  const item = await lookup.item(id);
  if (item || id.startsWith("rs_")) return item;
  throw new HttpError(404, {
    code: "item_not_found",
    param,
    message: `Item with id '${id.slice(0, 100)}' not found.`,
  });
}

async function saidOf({ item, param }: Placed, { seal, media }: InputOptions): Promise<Said[]> {
  switch (item.type) {
    case "message":
      return [saidMessage(item, contentText(item.content, { media, param: `${param}.content` }))];
    case "reasoning": {
      if (item.status === "incomplete") return [];
      const shown = item.content.map(({ text }) => text).join("");
      if (shown !== "" || item.encrypted_content === undefined) return [{ type: "reasoning", text: shown }];
      const unsealed = await seal.unseal("reasoning", item.encrypted_content);
      if ("text" in unsealed) return [{ type: "reasoning", text: unsealed.text }];
      // Thoughts sealed by another server cannot be read here, and the conversation can go on without them.
      if (unsealed.problem === "foreign") return [];
      throw badSeal(`${param}.encrypted_content`);
    }
    case "function_call": {
      // It was cut off, so nobody ran it.
      if (item.status === "incomplete") return [];
      return [{ type: "call", callId: item.call_id, name: qualifiedName(item), arguments: item.arguments }];
    }
    case "function_call_output": {
      const output = contentText(item.output, { media, param: `${param}.output` });
      return [{ type: "result", callId: item.call_id, output, param: `${param}.call_id` }];
    }
    case "compaction": {
      const unsealed = await seal.unseal("compaction", item.encrypted_content);
      if ("text" in unsealed) return [{ type: "developer", text: unsealed.text }];
      throw badSeal(`${param}.encrypted_content`);
    }
    default:
      return item satisfies never;
  }
}

function saidMessage({ role, phase }: KeptMessage, text: string): Said {
  switch (role) {
    case "system":
    case "developer":
      return { type: "developer", text };
    case "user":
      return { type: "user", text };
    case "assistant":
      return { type: "answer", text, isPreamble: phase === "commentary" };
    default:
      return role satisfies never;
  }
}

function badSeal(param: string): HttpError {
  return new HttpError(400, {
    code: "invalid_encrypted_content",
    param,
    message: "The encrypted content was not made by this server, or was changed.",
  });
}
