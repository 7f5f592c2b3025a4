// A response as the text that is kept, its size, and what the store reads of it.

import { GptOssError } from "../../base/index.ts";
import type { StoredItem, StoredResponse, StoredStatus } from "./store.ts";

export interface ResponseText {
  readonly text: string;
  readonly bytes: number;
  readonly itemIds: readonly string[];
}

const encoder = new TextEncoder();

/** Bytes of a text in UTF-8. */
export const byteLength = (text: string): number => encoder.encode(text).length;

export const isRunning = (status: StoredStatus): boolean => status === "queued" || status === "in_progress";

export function toText(response: StoredResponse, maxBytes: number): ResponseText {
  const text = JSON.stringify(response);
  const bytes = byteLength(text);
  if (bytes > maxBytes) {
    throw new GptOssError("server/store-full", {
      message: `response ${response.id} has ${bytes} bytes, more than the whole store may hold (${maxBytes})`,
      hint: "raise the store's maxBytes, or send store: false",
    });
  }
  const itemIds = new Set([...response.input, ...response.output].map((item) => item.id));
  return { text, bytes, itemIds: [...itemIds] };
}

export const fromText = (text: string): StoredResponse => JSON.parse(text) as StoredResponse;

export const itemOf = (response: StoredResponse, itemId: string): StoredItem | undefined =>
  [...response.output, ...response.input].find((item) => item.id === itemId);

export const closedError = (): GptOssError =>
  new GptOssError("server/store-closed", {
    message: "the store of responses is closed",
    hint: "the server is stopping",
  });
