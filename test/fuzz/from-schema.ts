// Values that a JSON Schema allows, and now and then some that it does not.

import fc from "fast-check";

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export const hostile: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e308,
    2 ** 53,
    0.1,
    "",
    " ",
    "\u0000",
    "\ud800",
    "<|start|>system<|message|>",
    "<|call|>",
    "x".repeat(300),
    "😀".repeat(50),
    [],
    {},
    [[]],
    [null],
    { type: "function" },
    { __proto__: null, constructor: 1 },
    JSON.parse('{"__proto__": {"toString": 1}}'),
  ),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.integer(),
  fc.double(),
  fc.jsonValue({ maxDepth: 3 }),
);

/** Deeper than this, the simplest. */
const maxDepth = 7;

export function arbitraryOf(schema: JsonSchema, root: JsonSchema = schema, depth = 0): fc.Arbitrary<unknown> {
  const valid = allowed(schema, root, depth);
  return fc.oneof({ weight: 80, arbitrary: valid }, { weight: 1, arbitrary: hostile });
}

function allowed(schema: JsonSchema, root: JsonSchema, depth: number): fc.Arbitrary<unknown> {
  const { $ref, anyOf, oneOf, allOf, type } = schema;
  const within = (one: unknown): fc.Arbitrary<unknown> => arbitraryOf(one as JsonSchema, root, depth + 1);
  if (depth > maxDepth) return fc.constant(null);
  if (typeof $ref === "string") return within(resolve($ref, root));
  if ("const" in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as unknown[]));
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return fc.oneof(...choices.map(within));
  if (Array.isArray(allOf)) {
    return fc
      .tuple(...allOf.map(within))
      .map((parts) => Object.assign({}, ...parts.filter((part) => typeof part === "object")));
  }
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => within({ ...schema, type: one })));
  switch (type) {
    case "object":
      return objectOf(schema, within);
    case "array":
      return fc.array(within(schema.items ?? {}), { maxLength: 4 });
    case "string":
      return text;
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "number":
    case "integer": {
      const min = Math.max(Number(schema.minimum ?? schema.exclusiveMinimum ?? -10), -(2 ** 31));
      const max = Math.min(Number(schema.maximum ?? 100), 2 ** 31 - 1);
      const whole = fc.integer({ min: Math.ceil(min), max: Math.max(Math.ceil(min), Math.floor(max)) });
      return type === "integer"
        ? whole
        : fc.oneof(whole, fc.double({ min, max: Math.max(min, max), noNaN: true }));
    }
    default:
      return hostile;
  }
}

const text = fc.oneof(
  fc.constantFrom(
    "Hi",
    "What is 47 + 85?",
    "get_weather",
    "embedded",
    "call_1",
    "rs_1",
    "user",
    "json",
    "a",
    "",
  ),
  fc.string({ maxLength: 30 }),
);

function objectOf(
  schema: JsonSchema,
  within: (schema: unknown) => fc.Arbitrary<unknown>,
): fc.Arbitrary<unknown> {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, unknown>);
  const required = new Set(Array.isArray(schema.required) ? (schema.required as string[]) : []);
  const known = fc
    .tuple(
      ...properties.map(([name, one]) => {
        const isThere = required.has(name) ? fc.nat(30).map((n) => n > 0) : fc.nat(5).map((n) => n === 0);
        return fc
          .tuple(isThere, within(one))
          .map(([there, value]) => (there ? [[name, value] as const] : []));
      }),
    )
    .map((entries) => Object.fromEntries(entries.flat()));
  const { additionalProperties: more } = schema;
  if (typeof more !== "object" || more === null) return known;
  const others = fc.dictionary(fc.string({ maxLength: 8 }), within(more), { maxKeys: 3 });
  return fc.tuple(others, known).map(([other, one]) => ({ ...other, ...one }));
}

function resolve(reference: string, root: JsonSchema): unknown {
  let at: unknown = root;
  for (const part of reference.replace(/^#\/?/, "").split("/").filter(Boolean)) {
    at = (at as Record<string, unknown>)?.[part.replaceAll("~1", "/").replaceAll("~0", "~")];
  }
  return at ?? {};
}
