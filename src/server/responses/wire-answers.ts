// What the Responses API answers beside responses, as schemas: items that went in, counts, compactions, deletions.

import * as z from "zod";
import { named, unixSeconds } from "../wire.ts";
import type { KeptItem, KeptMessage } from "./kept-items.ts";
import { functionCallItem, reasoningItem, wireUsage } from "./wire-items.ts";

/** Parts keep what clients sent with them. */
const part = z.looseObject({ type: z.string() });

const status = z.string();

const message: z.ZodType<KeptMessage> = named(
  "InputMessage",
  z.object({
    type: z.literal("message"),
    id: z.string(),
    status,
    role: z.enum(["user", "assistant", "system", "developer"]),
    content: z.array(part),
    phase: z.enum(["commentary", "final_answer"]).exactOptional(),
  }),
);

const compaction = named(
  "Compaction",
  z.object({ type: z.literal("compaction"), id: z.string(), encrypted_content: z.string() }),
);

/** Of an answer of this server, or sent by a client in the same form. */
const keptItem: z.ZodType<KeptItem> = named(
  "InputItem",
  z.union([
    message,
    reasoningItem.extend({ status }),
    functionCallItem.extend({ status }),
    z.object({
      type: z.literal("function_call_output"),
      id: z.string(),
      status,
      call_id: z.string(),
      output: z.union([z.string(), z.array(part)]),
    }),
    compaction,
  ]),
);

export const itemList = named(
  "InputItemList",
  z.object({
    object: z.literal("list"),
    data: z.array(keptItem),
    first_id: z.string().nullable(),
    last_id: z.string().nullable(),
    has_more: z.boolean(),
  }),
);

export const deletedResponse = named(
  "DeletedResponse",
  z.object({ id: z.string(), object: z.literal("response"), deleted: z.literal(true) }),
);

export const countedTokens = named(
  "InputTokens",
  z.object({ object: z.literal("response.input_tokens"), input_tokens: z.int().min(0) }),
);

export const compactedResponse = named(
  "CompactedResponse",
  z.object({
    id: z.string(),
    object: z.literal("response.compaction"),
    created_at: unixSeconds,
    output: z.array(z.union([message, compaction])),
    usage: wireUsage,
  }),
);
