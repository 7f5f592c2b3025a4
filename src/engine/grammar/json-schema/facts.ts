// Schemas that hold together, as alternatives without `anyOf` and its like: in each, everything that is said about a
// value stands side by side, by type. Knows no grammar.

import { badGrammar } from "../expression/bad-grammar.ts";
import {
  asSchema,
  checkKeywords,
  countOf,
  malformed,
  numberOf,
  refusedOf,
  resolve,
  type Schema,
  type SchemaObject,
  schemaMapOf,
  schemasOf,
  textOf,
  textsOf,
  unsupported,
} from "./schema.ts";

export type JsonType = "null" | "boolean" | "number" | "string" | "array" | "object";

const jsonTypes: readonly JsonType[] = ["null", "boolean", "number", "string", "array", "object"];

export interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

/** All of these hold for the value. */
export interface Facts {
  readonly types: ReadonlySet<JsonType>;
  /** One of these, if present. */
  readonly values: readonly unknown[] | undefined;
  readonly isInteger: boolean;
  readonly least: readonly Bound[];
  readonly most: readonly Bound[];
  readonly multiples: readonly number[];
  readonly patterns: readonly string[];
  readonly formats: readonly string[];
  readonly length: Range;
  readonly objects: readonly ObjectFacts[];
  readonly required: ReadonlySet<string>;
  readonly names: readonly Schema[];
  readonly properties: Range;
  readonly arrays: readonly ArrayFacts[];
  readonly items: Range;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What one schema says about properties: `rest` is about those that neither a name nor a pattern of it fits. */
export interface ObjectFacts {
  readonly declared: ReadonlyMap<string, Schema>;
  readonly patterns: ReadonlyMap<string, Schema>;
  readonly rest: Schema;
}

export interface ArrayFacts {
  readonly prefix: readonly Schema[];
  readonly rest: Schema;
}

const maxAlternatives = 1000;

export interface Alternatives {
  /** Checks that no value fits two of these; a value that did would be invalid. */
  readonly checkExclusive: (branches: readonly Schema[]) => void;
  readonly root: Schema;
}

/** → for each alternative, the schema objects whose own keywords all hold. */
export function expand(
  schemas: readonly Schema[],
  context: Alternatives,
  active: readonly SchemaObject[] = [],
): SchemaObject[][] {
  let alternatives: SchemaObject[][] = [[]];
  for (const schema of schemas) alternatives = product(alternatives, expandOne(schema, context, active));
  return alternatives;
}

function expandOne(schema: Schema, context: Alternatives, active: readonly SchemaObject[]): SchemaObject[][] {
  if (typeof schema === "boolean") return schema ? [[]] : [];
  if (active.includes(schema) || active.length > 200) {
    throw badGrammar(
      "the schema refers to itself without a property or an item in between",
      "a value of such a schema would never begin",
    );
  }
  checkKeywords(schema);
  const inside = [...active, schema];
  const all = (parts: readonly Schema[]): SchemaObject[][] => expand(parts, context, inside);
  let alternatives = product([[schema]], all(schemasOf(schema, "allOf")));
  if (schema.$ref !== undefined)
    alternatives = product(alternatives, all([resolve(context.root, schema.$ref)]));
  if (schema.not !== undefined) alternatives = product(alternatives, negated(schema.not));
  if (schema.anyOf !== undefined) {
    const branches = schemasOf(schema, "anyOf").flatMap((branch) => all([branch]));
    alternatives = product(alternatives, branches);
  }
  if (schema.oneOf !== undefined) {
    const branches = schemasOf(schema, "oneOf");
    context.checkExclusive(branches);
    alternatives = product(
      alternatives,
      branches.flatMap((branch) => all([branch])),
    );
  }
  return alternatives;
}

/** Only of everything or nothing, which is how libraries write a value that cannot be. */
function negated(value: unknown): SchemaObject[][] {
  const schema = asSchema(value, "not");
  if (schema === true || (typeof schema === "object" && Object.keys(schema).length === 0)) return [];
  if (schema === false) return [[]];
  throw unsupported("not", "say what is allowed instead");
}

function product(left: SchemaObject[][], right: SchemaObject[][]): SchemaObject[][] {
  if (left.length * right.length > maxAlternatives) {
    throw badGrammar(
      "the schema has too many alternatives at one place",
      "use fewer anyOf beside each other",
    );
  }
  return left.flatMap((a) => right.map((b) => [...new Set([...a, ...b])]));
}

export function factsOf(schemas: readonly SchemaObject[]): Facts {
  const types = schemas.map(typesOf).reduce(intersect, new Set(jsonTypes));
  for (const schema of schemas) for (const type of types) checkTyped(schema, type);
  const from = <T>(read: (schema: SchemaObject) => T | undefined): T[] =>
    schemas.flatMap((schema) => read(schema) ?? []);
  const range = (min: string, max: string): Range => ({
    min: Math.max(0, ...from((schema) => countOf(schema, min))),
    max: Math.min(Number.POSITIVE_INFINITY, ...from((schema) => countOf(schema, max))),
  });
  return {
    types,
    values: schemas.map(valuesOf).reduce(common, undefined),
    isInteger: schemas.some(isIntegerOnly),
    least: schemas.flatMap((schema) => boundsOf(schema, "minimum", "exclusiveMinimum")),
    most: schemas.flatMap((schema) => boundsOf(schema, "maximum", "exclusiveMaximum")),
    multiples: from((schema) => numberOf(schema, "multipleOf")),
    patterns: from((schema) => textOf(schema, "pattern")),
    formats: from((schema) => textOf(schema, "format")),
    length: range("minLength", "maxLength"),
    objects: from(objectOf),
    required: new Set(schemas.flatMap((schema) => textsOf(schema, "required"))),
    names: from((schema) =>
      schema.propertyNames === undefined ? undefined : [asSchema(schema.propertyNames, "propertyNames")],
    ).flat(),
    properties: range("minProperties", "maxProperties"),
    arrays: from(arrayOf),
    items: range("minItems", "maxItems"),
  };
}

function intersect<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): Set<T> {
  return new Set([...a].filter((item) => b.has(item)));
}

const typeNames: { readonly [name: string]: JsonType } = {
  ...Object.fromEntries(jsonTypes.map((type) => [type, type])),
  integer: "number",
};

function typesOf({ type }: SchemaObject): ReadonlySet<JsonType> {
  if (type === undefined) return new Set(jsonTypes);
  const names: readonly unknown[] = Array.isArray(type) ? type : [type];
  return new Set(
    names.map((name) => {
      if (typeof name === "string" && Object.hasOwn(typeNames, name)) return typeNames[name];
      throw malformed(
        "type",
        type,
        "null, boolean, integer, number, string, array, object, or a list of these",
      );
    }),
  );
}

function isIntegerOnly({ type }: SchemaObject): boolean {
  const names: readonly unknown[] = Array.isArray(type) ? type : [type];
  return names.includes("integer") && !names.includes("number");
}

/** Throws for keywords that cannot be enforced, unless they say nothing here. */
function checkTyped(schema: SchemaObject, type: JsonType): void {
  for (const [keyword, advice] of Object.entries(refusedOf[type] ?? {})) {
    if (schema[keyword] !== undefined && !saysNothing(schema, keyword)) throw unsupported(keyword, advice);
  }
}

function saysNothing(schema: SchemaObject, keyword: string): boolean {
  const value = schema[keyword];
  if (keyword === "uniqueItems") return value === false || (countOf(schema, "maxItems") ?? 2) < 2;
  // Alone, it means what additionalProperties or items mean, and is read as that.
  if (keyword.startsWith("unevaluated")) return value === true || isAlone(schema);
  return keyword.startsWith("depend") && isEmptyObject(value);
}

const isEmptyObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/** Nothing else in it can say something about the same properties or items. */
const isAlone = (schema: SchemaObject): boolean =>
  ["allOf", "anyOf", "oneOf", "$ref"].every((keyword) => schema[keyword] === undefined);

function valuesOf(schema: SchemaObject): readonly unknown[] | undefined {
  if (schema.const !== undefined) return [schema.const];
  if (schema.enum === undefined) return undefined;
  if (!Array.isArray(schema.enum)) throw malformed("enum", schema.enum, "a list of values");
  return schema.enum;
}

function common(
  a: readonly unknown[] | undefined,
  b: readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  const others = new Set(b.map(canonical));
  return a.filter((value) => others.has(canonical(value)));
}

export function typeOf(value: unknown): JsonType {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value as JsonType;
}

/** The same text for equal values. */
export function canonical(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  const fields = Object.entries(value).map(([name, inner]) => `${JSON.stringify(name)}:${canonical(inner)}`);
  return `{${fields.sort().join()}}`;
}

function boundsOf(schema: SchemaObject, inclusive: string, exclusive: string): Bound[] {
  const value = numberOf(schema, inclusive);
  // In draft 4 the second is a boolean about the first.
  const isBoolean = typeof schema[exclusive] === "boolean";
  const strict = isBoolean ? undefined : numberOf(schema, exclusive);
  return [
    ...(value === undefined ? [] : [{ value, isExclusive: schema[exclusive] === true }]),
    ...(strict === undefined ? [] : [{ value: strict, isExclusive: true }]),
  ];
}

function objectOf(schema: SchemaObject): ObjectFacts | undefined {
  const rest = schema.additionalProperties ?? schema.unevaluatedProperties ?? true;
  const facts = {
    declared: schemaMapOf(schema, "properties"),
    patterns: schemaMapOf(schema, "patternProperties"),
    rest: asSchema(rest, "additionalProperties"),
  };
  return facts.declared.size + facts.patterns.size === 0 && rest === true ? undefined : facts;
}

function arrayOf(schema: SchemaObject): ArrayFacts | undefined {
  const { items } = schema;
  const isTuple = Array.isArray(items); // as before 2020-12
  const prefix = isTuple
    ? schemasOf({ items: items.length === 0 ? undefined : items }, "items")
    : schemasOf(schema, "prefixItems");
  const rest = (isTuple ? schema.additionalItems : items) ?? schema.unevaluatedItems ?? true;
  return prefix.length === 0 && rest === true ? undefined : { prefix, rest: asSchema(rest, "items") };
}
