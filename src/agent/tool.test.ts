import { describe, expect, expectTypeOf, test } from "vitest";
import * as z from "zod";
import { schemaToTypeScript } from "../harmony/index.ts";
import { type FunctionTool, type ToolContext, tool } from "./index.ts";
import { callTool } from "./tool.ts";

const context = (): ToolContext => ({ callId: "call_1", signal: new AbortController().signal });

describe("types", () => {
  test("arguments are inferred from the zod schema, after its defaults and transforms", () => {
    tool({
      parameters: z.object({
        city: z.string(),
        days: z.int().default(1),
        unit: z.enum(["C", "F"]).optional(),
        when: z.string().transform((text) => new Date(text)),
      }),
      execute: (args, toolContext) => {
        expectTypeOf(args).toEqualTypeOf<{
          city: string;
          days: number;
          unit?: "C" | "F" | undefined;
          when: Date;
        }>();
        expectTypeOf(toolContext).toEqualTypeOf<ToolContext>();
      },
    });
  });

  test("a JSON Schema gives unknown arguments, and no schema is allowed", () => {
    tool({ parameters: { type: "object" }, execute: (args) => expectTypeOf(args).toEqualTypeOf<unknown>() });
    expectTypeOf(tool({ execute: () => "now" })).toEqualTypeOf<FunctionTool>();
  });

  test("an implementation that takes something else is refused", () => {
    tool({
      parameters: z.object({ city: z.string() }),
      // @ts-expect-error city is a string
      execute: (args: { city: number }) => args,
    });
  });
});

test("the model sees a zod schema in the dialect it was trained on", () => {
  const { parameters } = tool({
    parameters: z.object({
      location: z.string().describe("City and state"),
      unit: z.enum(["C", "F"]).default("C"),
      near: z.union([z.string(), z.object({ lat: z.number() })]).optional(),
      kind: z.literal("now"),
    }),
  });
  expect(schemaToTypeScript(parameters ?? {})).toBe(
    [
      "{",
      "// City and state",
      "location: string,",
      'unit?: "C" | "F", // default: C',
      "near?:",
      " | string",
      " | {",
      "   lat: number,",
      "   }",
      ",",
      'kind: "now",',
      "}",
    ].join("\n"),
  );
});

test("an argument called like a keyword of JSON Schema keeps its name", () => {
  const { parameters } = tool({
    parameters: z.object({ const: z.string(), anyOf: z.number(), default: z.string() }),
  });
  expect(Object.keys((parameters as { properties: object }).properties)).toEqual([
    "const",
    "anyOf",
    "default",
  ]);
});

describe("a call", () => {
  const echo = (args: unknown): unknown => args;

  test("without a body has no arguments", async () => {
    expect(await callTool(echo, "", context())).toEqual({ output: "{}", isError: false });
  });

  test("shows strings as they are, anything else as JSON, and nothing as null", async () => {
    expect((await callTool(() => "plain", "{}", context())).output).toBe("plain");
    expect((await callTool(() => [1, { a: "b" }], "{}", context())).output).toBe('[1,{"a":"b"}]');
    expect((await callTool(() => undefined, "{}", context())).output).toBe("null");
  });

  test("whose result has no JSON is an error the model reads, not a crash", async () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(await callTool(() => circular, "{}", context())).toMatchObject({ isError: true });
    expect(await callTool(() => 1n, "{}", context())).toMatchObject({ isError: true });
  });

  test("names every wrong argument", async () => {
    const { execute } = tool({ parameters: z.object({ a: z.string(), b: z.array(z.int()) }), execute: echo });
    const { output } = await callTool(execute ?? echo, '{"b":[1,"x"]}', context());
    expect(output).toMatch(/^Error: the arguments do not match the parameters: a: .*; b\.1: /);
  });
});
