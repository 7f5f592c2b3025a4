// Reading JSON Schema (2020-12, and what older drafts spell differently): the keywords of one schema object, checked, and
// what its references mean. Knows no grammar.

import { badGrammar } from "../expression/bad-grammar.ts";

export type SchemaObject = { readonly [keyword: string]: unknown };
export type Schema = boolean | SchemaObject;

/** Keywords that restrict values and that nothing here enforces, with what to do instead. */
const refused: ReadonlyMap<string, string> = new Map([
  ["if", "describe the cases with anyOf"],
  ["$dynamicRef", "use $ref"],
  ["$recursiveRef", "use $ref"],
]);

/** Keywords that matter where a value may be of this type. */
export const refusedOf: { readonly [type: string]: { readonly [keyword: string]: string } } = {
  object: {
    dependentRequired: "describe the cases with anyOf",
    dependentSchemas: "describe the cases with anyOf",
    dependencies: "describe the cases with anyOf",
    unevaluatedProperties: "use additionalProperties beside all properties",
  },
  array: {
    contains: "use items or prefixItems",
    uniqueItems: "leave it out, and check the answer",
    unevaluatedItems: "use items beside prefixItems",
  },
};

export function unsupported(keyword: string, advice: string) {
  return badGrammar(`the schema's keyword ${keyword} cannot be enforced`, advice);
}

export function malformed(keyword: string, value: unknown, allowed: string) {
  const shown = JSON.stringify(value) ?? String(value);
  return badGrammar(
    `the schema has ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown} for ${keyword}`,
    `it takes ${allowed}`,
  );
}

/** A schema, or a refusal; `keyword` is where it stands. */
export function asSchema(value: unknown, keyword: string): Schema {
  if (typeof value === "boolean") return value;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw malformed(keyword, value, "a schema: an object, true or false");
  }
  return value as SchemaObject;
}

export function checkKeywords(schema: SchemaObject): void {
  for (const [keyword, advice] of refused) {
    if (Object.hasOwn(schema, keyword)) throw unsupported(keyword, advice);
  }
}

export function schemasOf(schema: SchemaObject, keyword: string): readonly Schema[] {
  const list = schema[keyword];
  if (list === undefined) return [];
  if (!Array.isArray(list) || list.length === 0) throw malformed(keyword, list, "a list of schemas");
  return list.map((item) => asSchema(item, keyword));
}

export function schemaMapOf(schema: SchemaObject, keyword: string): ReadonlyMap<string, Schema> {
  const map = schema[keyword];
  if (map === undefined) return new Map();
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw malformed(keyword, map, "an object of schemas");
  }
  return new Map(Object.entries(map).map(([name, value]) => [name, asSchema(value, `${keyword}.${name}`)]));
}

export function numberOf(schema: SchemaObject, keyword: string): number | undefined {
  const value = schema[keyword];
  if (value === undefined || (typeof value === "number" && Number.isFinite(value))) return value;
  throw malformed(keyword, value, "a number");
}

export function countOf(schema: SchemaObject, keyword: string): number | undefined {
  const value = numberOf(schema, keyword);
  if (value === undefined || (Number.isInteger(value) && value >= 0)) return value;
  throw malformed(keyword, value, "an integer of at least 0");
}

export function textOf(schema: SchemaObject, keyword: string): string | undefined {
  const value = schema[keyword];
  if (value === undefined || typeof value === "string") return value;
  throw malformed(keyword, value, "a string");
}

export function textsOf(schema: SchemaObject, keyword: string): readonly string[] {
  const value = schema[keyword] ?? [];
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw malformed(keyword, value, "a list of strings");
}

/** What a `$ref` means: a place in the same document, by pointer or by anchor. */
export function resolve(root: Schema, reference: unknown): Schema {
  if (typeof reference !== "string" || !reference.startsWith("#")) {
    throw malformed("$ref", reference, "a reference inside the schema, such as #/$defs/name");
  }
  const fragment = decodeFragment(reference.slice(1));
  if (fragment === "") return root;
  const found = fragment.startsWith("/") ? byPointer(root, fragment) : byAnchor(root, fragment);
  if (found === undefined) throw malformed("$ref", reference, "a reference to something that is there");
  return asSchema(found, "$ref");
}

function decodeFragment(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment; // a stray % means itself
  }
}

function byPointer(root: unknown, pointer: string): unknown {
  let at = root;
  for (const part of pointer.slice(1).split("/")) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as SchemaObject)[name];
  }
  return at;
}

function byAnchor(root: unknown, anchor: string): unknown {
  const places = [root];
  for (let at = places.pop(); at !== undefined; at = places.pop()) {
    if (typeof at !== "object" || at === null) continue;
    if ("$anchor" in at && at.$anchor === anchor) return at;
    places.push(...Object.values(at).filter((value) => value !== undefined));
  }
  return undefined;
}
