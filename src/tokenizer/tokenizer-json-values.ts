// How tokenizer.json's values are checked and how its faults are reported.

import { GptOssError } from "../base/index.ts";

export type Json = Readonly<Record<string, unknown>>;

export const isRecord = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value short enough for one line of an error message. */
export function show(value: unknown): string {
  const text =
    typeof value === "object" ? (Array.isArray(value) ? "an array" : "an object") : JSON.stringify(value);
  if (value === null) return "null";
  if (text === undefined) return typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

export function badFile(message: string, options: { readonly cause?: unknown } = {}): GptOssError {
  return new GptOssError("tokenizer/bad-file", {
    message: `tokenizer.json: ${message}`,
    hint: "byte-level BPE as gpt-oss checkpoints have it is supported; was the file changed or cut short?",
    cause: options.cause,
  });
}
