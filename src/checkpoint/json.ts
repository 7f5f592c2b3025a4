// JSON files of a checkpoint: parsing as Python's json module does, and checked access to fields, so that every error
// names file, field, value and expectation. It does not know which fields a config has.

import { type ErrorCode, GptOssError } from "../base/index.ts";
import { describe, quote } from "./quote.ts";

/** A text file and what to call it in errors. */
export interface JsonFile {
  readonly name: string;
  readonly text: string;
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** What is thrown for a bad file: its code, and a hint for the person who has it. */
export interface Complaint {
  readonly code: ErrorCode;
  readonly hint: string;
}

/** Parses an object. `NaN`, `Infinity` and `-Infinity`, which Python writes though JSON has no such numbers, are let in. */
export function parseJsonObject(file: JsonFile, complaint: Complaint): JsonObject {
  const value = parseLikePython(file, complaint);
  if (isObject(value)) return value;
  throw complain(complaint, `${file.name}: expected a JSON object, got ${describe(value)}`);
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function complain(complaint: Complaint, message: string, cause?: unknown): GptOssError {
  return new GptOssError(complaint.code, { message, hint: complaint.hint, cause });
}

function parseLikePython(file: JsonFile, complaint: Complaint): unknown {
  try {
    return JSON.parse(file.text);
  } catch (error) {
    // A string that no file would contain stands for each such number while JSON.parse runs.
    const marker = "\u0000number:";
    const text = file.text.replace(/"[^"\\]*(?:\\[\s\S][^"\\]*)*"?|-?\bInfinity\b|\bNaN\b/g, (match) =>
      match.startsWith('"') ? match : JSON.stringify(marker + match),
    );
    try {
      return JSON.parse(text, (_key, value) =>
        typeof value === "string" && value.startsWith(marker) ? Number(value.slice(marker.length)) : value,
      );
    } catch {
      const reason = error instanceof Error ? quote(error.message) : "";
      throw complain(complaint, `${file.name}: not JSON: ${reason}`, error);
    }
  }
}

export interface NumberLimits {
  readonly min: number;
  readonly max: number;
  /** Used when no spelling of the field is there (or it is null). Without one the field is required. */
  readonly fallback?: number;
}

/** Checked access to an object's fields; a field may have several spellings, which must agree where several are there. */
export interface Fields {
  readonly where: string;
  has(key: string): boolean;
  /** The field as it is; undefined when it is absent or null. */
  raw(key: string): unknown;
  integer(spellings: readonly string[], limits: NumberLimits): number;
  number(spellings: readonly string[], limits: NumberLimits): number;
  boolean(key: string, fallback: boolean): boolean;
  /** The fields of an object inside this one. */
  object(key: string): Fields | undefined;
  /** Throws: the field `key` is what it is (or `found`), and `expectation` was expected. */
  refuse(key: string, expectation: string, options?: { readonly found: unknown }): never;
}

export function fieldsOf(where: string, json: JsonObject, complaint: Complaint): Fields {
  const raw = (key: string): unknown => (Object.hasOwn(json, key) ? (json[key] ?? undefined) : undefined);
  const has = (key: string): boolean => raw(key) !== undefined;
  const refuse = (key: string, expectation: string, { found = raw(key) } = {}): never => {
    const state = found === undefined ? "missing" : describe(found);
    throw complain(complaint, `${where}: ${key} is ${state}; expected ${expectation}`);
  };

  const read = (
    spellings: readonly string[],
    limits: NumberLimits,
    kind: "number" | "whole number",
  ): number => {
    const present = spellings.filter(has);
    const expectation = `a ${kind} from ${limits.min} to ${limits.max}`;
    if (present.length === 0) return limits.fallback ?? refuse(spellings.join(" or "), expectation);
    for (const key of present) {
      const value = raw(key);
      const fits = typeof value === "number" && value >= limits.min && value <= limits.max;
      if (!fits || (kind === "whole number" && !Number.isInteger(value))) refuse(key, expectation);
      if (value !== raw(present[0])) refuse(key, `${describe(raw(present[0]))}, as ${present[0]} says`);
    }
    return raw(present[0]) as number;
  };

  return {
    where,
    has,
    raw,
    integer: (spellings, limits) => read(spellings, limits, "whole number"),
    number: (spellings, limits) => read(spellings, limits, "number"),
    boolean: (key, fallback) => {
      const value = raw(key) ?? fallback;
      return typeof value === "boolean" ? value : refuse(key, "true or false");
    },
    object: (key) => {
      const value = raw(key);
      if (value === undefined) return undefined;
      return isObject(value) ? fieldsOf(`${where}: ${key}`, value, complaint) : refuse(key, "an object");
    },
    refuse,
  };
}
