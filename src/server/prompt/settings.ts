// The settings that all APIs have under slightly different spellings: functions, whether to call them, effort, and the
// shape of the answer.

import * as z from "zod";
import type { AnswerFormat, Effort, ToolChoice, ToolSet } from "../../agent/index.ts";
import type { JsonSchema } from "../../harmony/index.ts";
import { invalidValue } from "../errors.ts";

/** A function as clients declare it. */
export interface DeclaredFunction {
  readonly name: string;
  readonly description?: string | null | undefined;
  readonly parameters?: JsonSchema | null | undefined;
  readonly strict?: boolean | null | undefined;
}

const namePattern = /^[a-zA-Z0-9_-]{1,64}$/;

/** Of a call in the history, by whichever server it was made. It stands in a header of the prompt, so it stays one word. */
export const calledName = z
  .string()
  .regex(/^[a-zA-Z0-9_.-]{1,64}$/, "a function's name has 1 to 64 letters, digits, _, . and -");

export interface ToolSetOptions {
  /** What the model calls a function; default: its name. */
  readonly keyOf?: (index: number) => string;
}

/** `paramOf(index)` is where the name of a function stands in the request. */
export function toolSetOf(
  functions: readonly DeclaredFunction[],
  paramOf: (index: number) => string,
  { keyOf = (index) => functions[index].name }: ToolSetOptions = {},
): ToolSet {
  const entries = functions.map(({ name, description, parameters, strict }, index) => {
    if (!namePattern.test(name)) {
      const allowed = "1 to 64 letters, digits, underscores and hyphens";
      throw invalidValue(paramOf(index), `A function's name has ${allowed}; found '${name.slice(0, 100)}'.`);
    }
    const tool = {
      ...(description != null && { description }),
      ...(parameters != null && { parameters }),
      ...(strict != null && { strict }),
    };
    return [keyOf(index), tool] as const;
  });
  const names = entries.map(([name]) => name);
  const again = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (again >= 0) throw invalidValue(paramOf(again), `The function '${names[again]}' is declared twice.`);
  return Object.fromEntries(entries); // defines keys such as __proto__ instead of assigning them
}

/** What a client may ask for, names resolved from either spelling. */
export type AskedChoice =
  | "auto"
  | "none"
  | "required"
  | { readonly function: string }
  | { readonly allowed: readonly string[]; readonly mode: "auto" | "required" };

/** Throws 400 where it names a function that is not there, or demands a call without functions. */
export function toolChoiceOf(asked: AskedChoice | undefined, tools: ToolSet): ToolChoice | undefined {
  if (asked === undefined || asked === "auto" || asked === "none") {
    return asked === "none" && Object.keys(tools).length > 0 ? "none" : undefined;
  }
  const wanted = asked === "required" ? [] : "function" in asked ? [asked.function] : asked.allowed;
  const missing = wanted.find((name) => !Object.hasOwn(tools, name));
  if (missing !== undefined)
    throw invalidValue("tool_choice", `Tool choice '${missing.slice(0, 100)}' not found in 'tools'.`);
  const isDemand = asked === "required" || "function" in asked || asked.mode === "required";
  if (isDemand && (asked === "required" ? Object.keys(tools) : wanted).length === 0)
    throw invalidValue("tool_choice", "Tool choice demands a call, and there is no function to call.");
  return asked;
}

const efforts = {
  none: "none",
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
  max: "high",
} as const satisfies Record<string, Effort>;

/** All that clients may ask for. */
export type AskedEffort = keyof typeof efforts;

export const askedEfforts = Object.keys(efforts) as readonly AskedEffort[];

/** `none` answers, or calls, at once, without a thought. Where the model may choose which, it has to think: low. */
export function effortOf(
  asked: AskedEffort | null | undefined,
  { tools, toolChoice = "auto" }: { readonly tools: ToolSet; readonly toolChoice?: ToolChoice | undefined },
): Effort {
  const effort = efforts[asked ?? "medium"];
  const isFree =
    toolChoice === "auto" ||
    (typeof toolChoice === "object" && "mode" in toolChoice && toolChoice.mode === "auto");
  return effort === "none" && isFree && Object.keys(tools).length > 0 ? "low" : effort;
}

/** The name of a response format is a heading of the prompt, and has to stay on its line. */
export const formatNamePattern = /^[a-zA-Z0-9_.-]{1,64}$/;

interface AskedSchema {
  readonly name?: string | null | undefined;
  readonly description?: string | null | undefined;
  /** Absent: any JSON value. */
  readonly schema?: JsonSchema | null | undefined;
}

type AskedFormat =
  | { readonly type: "text" }
  | { readonly type: "json_object" }
  | ({ readonly type: "json_schema" } & AskedSchema);

/** Undefined for text, which has no form. */
export function formatOf(asked: AskedFormat | null | undefined): AnswerFormat | undefined {
  switch (asked?.type) {
    case undefined:
    case "text":
      return undefined;
    case "json_object":
      return { type: "json" };
    case "json_schema": {
      const { name, description, schema } = asked;
      return {
        type: "json-schema",
        name: name ?? "answer",
        ...(description != null && { description }),
        schema: schema ?? true,
      };
    }
    default:
      return asked satisfies never;
  }
}
