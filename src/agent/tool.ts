// Function tools: what the model is told about one, and what happens with the arguments that it writes. Whatever goes
// wrong in between (bad JSON, a schema that does not match, an error in the implementation) becomes a result that
// the model reads. Knows nothing of tokens, channels or rounds.

import * as z from "zod";
import { GptOssError } from "../base/index.ts";
import type { JsonSchema } from "../harmony/index.ts";

/** What an implementation gets beside its arguments. */
export interface ToolContext {
  /** Unique within the run. */
  readonly callId: string;
  /** Aborted when the run is; work that takes long should listen. */
  readonly signal: AbortSignal;
}

/** A function that the model may call. Without `execute`, the run ends with the call, and the caller answers it. */
export interface FunctionTool {
  readonly description?: string;
  /** Absent: the function takes no arguments. */
  readonly parameters?: JsonSchema;
  /** The arguments of a call cannot but follow `parameters`: nothing else can be sampled. Default: false. */
  readonly strict?: boolean;
  /** What strict arguments follow, where that is not what the model is shown: `parameters`. */
  readonly strictParameters?: JsonSchema;
  /** Gets the parsed JSON. A string is shown to the model as it is, anything else as JSON. */
  readonly execute?: (args: unknown, context: ToolContext) => unknown;
}

/** Functions by name. */
export type ToolSet = { readonly [name: string]: FunctionTool };

/** What to give `tool`. `parameters` is a zod schema (arguments are checked and typed) or a JSON Schema (neither). */
export interface ToolOptions<Parameters extends ToolParameters> {
  readonly description?: string;
  /** Absent: the function takes no arguments. */
  readonly parameters?: Parameters;
  /** The arguments of a call cannot but follow `parameters`: nothing else can be sampled. Default: false. */
  readonly strict?: boolean;
  readonly execute?: (args: ToolArguments<Parameters>, context: ToolContext) => unknown;
}

export type ToolParameters = z.core.$ZodType | JsonSchema;

export type ToolArguments<Parameters> = Parameters extends z.core.$ZodType
  ? z.core.output<Parameters>
  : unknown;

/**
 * Declares a function for the model. With a zod schema the implementation's arguments are inferred from it, and
 * arguments that do not match never reach it: the model is told what is wrong and may try again.
 *
 * @example
 * const get_weather = tool({
 *   description: "Gets the current weather in the provided location.",
 *   parameters: z.object({ location: z.string().describe("The city and state, e.g. San Francisco, CA") }),
 *   execute: async ({ location }) => ({ sky: "sunny", temperature: await thermometer(location) }),
 * });
 */
export function tool<Parameters extends ToolParameters>(options: ToolOptions<Parameters>): FunctionTool {
  const { description, parameters, strict } = options;
  const execute = options.execute as FunctionTool["execute"];
  const schema = isZod(parameters) ? parameters : undefined;
  const checked = schema && execute && checkedBy(schema, execute);
  return {
    ...(description !== undefined && { description }),
    ...(parameters !== undefined && {
      parameters: schema ? jsonSchemaOf(schema) : (parameters as JsonSchema),
    }),
    ...(strict !== undefined && { strict }),
    ...(strict && schema && { strictParameters: plainJsonSchemaOf(schema) }),
    ...(execute && { execute: checked ?? execute }),
  };
}

// By its mark and not by instanceof, so that a second copy of zod works too.
const isZod = (schema: unknown): schema is z.core.$ZodType =>
  typeof schema === "object" && schema !== null && "_zod" in schema;

type Execute = NonNullable<FunctionTool["execute"]>;

/** The error's message goes to the model, so it names every wrong place. */
function checkedBy(schema: z.core.$ZodType, execute: Execute): Execute {
  return async (args, context) => {
    const result = await z.safeParseAsync(schema, args);
    if (result.success) return execute(result.data, context);
    const issues = result.error.issues.map(
      ({ path, message }) => `${path.join(".") || "arguments"}: ${message}`,
    );
    throw new GptOssError("agent/bad-arguments", {
      message: `the arguments do not match the parameters: ${issues.join("; ")}`,
    });
  };
}

function plainJsonSchemaOf(schema: z.core.$ZodType): JsonSchema {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchema;
}

function jsonSchemaOf(schema: z.core.$ZodType): JsonSchema {
  return inTrainedDialect(plainJsonSchemaOf(schema)) as JsonSchema;
}

/**
 * Models saw schemas in the dialect that harmony writes as TypeScript, where `anyOf` and `const` become `any`; the
 * same meaning as `oneOf` and as an enum of one is kept.
 */
function inTrainedDialect(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inTrainedDialect);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).flatMap(([key, inner]): [string, unknown][] => {
    if (key === "$schema") return [];
    if (key === "anyOf") return [["oneOf", inTrainedDialect(inner)]];
    if (key === "const" && typeof inner === "string") return [["enum", [inner]]];
    // Under these keywords the keys are names of the caller's, not keywords, and defaults are data.
    if (key === "default" || key === "examples" || key === "enum") return [[key, inner]];
    return [[key, key === "properties" ? mapValues(inner, inTrainedDialect) : inTrainedDialect(inner)]];
  });
  return Object.fromEntries(entries);
}

function mapValues(value: unknown, map: (inner: unknown) => unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, map(inner)]));
}

/** The names that OpenAI's API allows; they stand in a header, so nothing else may. */
const namePattern = /^[a-zA-Z0-9_-]{1,64}$/;

export function checkToolNames(tools: ToolSet): void {
  for (const name of Object.keys(tools)) {
    if (namePattern.test(name)) continue;
    throw new GptOssError("agent/bad-tool", {
      message: `the tool name ${JSON.stringify(name)} is not allowed`,
      hint: "use 1 to 64 letters, digits, underscores and hyphens",
    });
  }
}

/** What a call came to, as the model will read it. */
export interface ToolOutput {
  readonly output: string;
  readonly isError: boolean;
}

/** Never throws, and comes back as soon as the signal aborts, even when the implementation does not listen. */
export async function callTool(
  execute: Execute,
  argumentsText: string,
  context: ToolContext,
): Promise<ToolOutput> {
  const parsed = parseArguments(argumentsText);
  if (parsed.error !== undefined) return failure(parsed.error);
  try {
    const result = await unlessAborted(() => execute(parsed.value, context), context.signal);
    return { output: shown(result), isError: false };
  } catch (error) {
    return failure(context.signal.aborted ? "the call was aborted" : messageOf(error));
  }
}

export const failure = (message: string): ToolOutput => ({ output: `Error: ${message}`, isError: true });

/** An empty body is no arguments: models write it for functions without parameters. */
function parseArguments(text: string): { readonly value?: unknown; readonly error?: string } {
  if (text.trim() === "") return { value: {} };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: `the arguments are not valid JSON: ${messageOf(error)}` };
  }
}

async function unlessAborted(work: () => unknown, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function shown(result: unknown): string {
  if (typeof result === "string") return result;
  // undefined (a function that returns nothing) and functions have no JSON.
  return JSON.stringify(result) ?? "null";
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
