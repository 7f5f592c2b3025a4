// Where responses and items of earlier requests are found: the store, and before it the memory of a WebSocket, which
// also knows what was not stored.

import { HttpError } from "../errors.ts";
import type { OwnResponses, StoredResponse } from "../store/index.ts";
import type { KeptItem } from "./kept-items.ts";
import type { ResponseObject } from "./wire.ts";

/** A response with what it answered. */
export interface KeptResponse {
  readonly response: ResponseObject;
  /** Of this request alone, without those of the responses before it. */
  readonly input: readonly KeptItem[];
  /** The name of the key that it was made with. */
  readonly keyName: string | undefined;
}

export interface Lookup {
  response(id: string): Promise<KeptResponse | undefined>;
  item(id: string): Promise<KeptItem | undefined>;
}

export function storeLookup(stored: OwnResponses): Lookup {
  return {
    async response(id) {
      const record = await stored.get(id);
      return record && keptResponse(record);
    },
    item: async (id) => (await stored.findItem(id)) as KeptItem | undefined,
  };
}

/** The store keeps the output beside the body, not in it. */
export function keptResponse({ body, input, output, keyName }: StoredResponse): KeptResponse {
  const response = { ...(body as ResponseObject), output: output as ResponseObject["output"] };
  return { response, input: input as readonly KeptItem[], keyName };
}

export function storedRecord({ response, input, keyName }: KeptResponse): StoredResponse {
  const { output, ...body } = response;
  return {
    id: response.id,
    createdAt: response.created_at * 1000,
    status: response.status,
    ...(keyName !== undefined && { keyName }),
    input,
    output,
    body,
  };
}

/** Everything said before, oldest first. Throws 404 `previous_response_not_found` where a link is missing. */
export async function chainItems(id: string, lookup: Lookup): Promise<KeptItem[]> {
  const chain: KeptResponse[] = [];
  for (let next: string | null = id; next !== null; ) {
    const kept = await lookup.response(next);
    if (!kept) throw previousNotFound(next);
    if (kept.response.status === "queued" || kept.response.status === "in_progress") throw notOver(next);
    chain.push(kept);
    next = kept.response.previous_response_id;
  }
  return chain.reverse().flatMap(({ response, input }) => [...input, ...(response.output as KeptItem[])]);
}

function previousNotFound(id: string): HttpError {
  return new HttpError(404, {
    code: "previous_response_not_found",
    param: "previous_response_id",
    message: `Previous response with id '${id.slice(0, 100)}' not found.`,
  });
}

function notOver(id: string): HttpError {
  return new HttpError(400, {
    code: "previous_response_in_progress",
    param: "previous_response_id",
    message: `Previous response with id '${id}' is still in progress.`,
  });
}
