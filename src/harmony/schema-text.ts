// JSON Schema → the TypeScript that gpt-oss was trained to read. It reproduces the official renderer
// character for character, quirks included (openai/harmony src/encoding.rs, json_schema_to_typescript): those
// are what the model saw. Total: whatever is not understood is `any`, and schemas that contain themselves
// end.

import { descend, type JsonWalk, jsonText, jsonWalk } from "./json-text.ts";

/**
 * The TypeScript type of a JSON Schema, as it stands in the `# Tools` section of a prompt.
 *
 * @example
 * schemaToTypeScript({ type: "object", properties: { city: { type: "string" } }, required: ["city"] });
 * // {
 * // city: string,
 * // }
 */
export function schemaToTypeScript(schema: unknown): string {
  return typeText(schema, "", jsonWalk());
}

type Schema = { readonly [keyword: string]: unknown };

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeText(schema: unknown, indent: string, walk: JsonWalk): string {
  if (!isSchema(schema)) return "any";
  return descend(walk, schema, () => knownTypeText(schema, indent, walk), "any");
}

function knownTypeText(schema: Schema, indent: string, walk: JsonWalk): string {
  if (Array.isArray(schema.oneOf)) return rootVariants(schema.oneOf, indent, walk);
  if (Array.isArray(schema.type)) {
    const names = schema.type.filter((name) => typeof name === "string");
    if (names.length > 0) return names.map((name) => (name === "integer" ? "number" : name)).join(" | ");
  }
  switch (schema.type) {
    case "object":
      return objectText(schema, indent, walk);
    case "string":
      return enumText(schema) || "string";
    case "number":
    case "integer":
      return "number";
    case "boolean":
      return "boolean";
    case "array":
      return schema.items === undefined ? "Array<any>" : `${typeText(schema.items, indent, walk)}[]`;
    default:
      return "any";
  }
}

function enumText(schema: Schema): string {
  if (!Array.isArray(schema.enum)) return "";
  return schema.enum
    .filter((value) => typeof value === "string")
    .map((value) => `"${value}"`)
    .join(" | ");
}

function hasEnum(schema: Schema): boolean {
  return Array.isArray(schema.enum) && schema.enum.length > 0;
}

function nullableText(schema: unknown, indent: string, walk: JsonWalk): string {
  const text = typeText(schema, indent, walk);
  return isSchema(schema) && schema.nullable === true && !text.includes("null") ? `${text} | null` : text;
}

/** A property's default: strings in quotes unless the type is an enum, everything else as JSON. */
function defaultText(schema: Schema): string {
  if (typeof schema.default !== "string") return `default: ${jsonText(schema.default)}`;
  return hasEnum(schema) ? `default: ${schema.default}` : `default: "${schema.default}"`;
}

function rootVariants(variants: readonly unknown[], indent: string, walk: JsonWalk): string {
  return variants
    .map((variant) => {
      const text = `\n${indent} | ${nullableText(variant, `${indent}   `, walk)}`;
      if (!isSchema(variant)) return text;
      const comments: string[] = [];
      if (typeof variant.description === "string") comments.push(variant.description);
      // Unlike a property's default, an enum's default is quoted here.
      if (variant.default !== undefined)
        comments.push(
          typeof variant.default === "string" && !hasEnum(variant)
            ? `default: "${variant.default}"`
            : `default: ${jsonText(variant.default)}`,
        );
      return comments.length > 0 ? `${text} // ${comments.join(" ")}` : text;
    })
    .join("");
}

function objectText(schema: Schema, indent: string, walk: JsonWalk): string {
  const comment = typeof schema.description === "string" ? `${indent}// ${schema.description}\n` : "";
  const required = new Set(Array.isArray(schema.required) ? schema.required : []);
  const properties = isSchema(schema.properties) ? Object.entries(schema.properties) : [];
  const lines = properties.map(([key, value]) => {
    const name = `${key}${required.has(key) ? "" : "?"}`;
    return propertyText(name, isSchema(value) ? value : {}, indent, walk);
  });
  return `${comment}{\n${lines.join("")}${indent}}`;
}

function propertyText(name: string, schema: Schema, indent: string, walk: JsonWalk): string {
  let text = "";
  if (typeof schema.title === "string") text += `${indent}// ${schema.title}\n${indent}//\n`;
  // Presence counts, not content: even `oneOf: null` suppresses description and default.
  if (schema.oneOf === undefined && typeof schema.description === "string")
    text += `${indent}// ${schema.description}\n`;
  if (Array.isArray(schema.examples) && schema.examples.length > 0) {
    text += `${indent}// Examples:\n`;
    for (const example of schema.examples)
      if (typeof example === "string") text += `${indent}// - "${example}"\n`;
  }
  if (Array.isArray(schema.oneOf)) return text + propertyVariants(name, schema, schema.oneOf, indent, walk);
  text += `${indent}${name}: ${nullableText(schema, `${indent}    `, walk)},`;
  if (schema.oneOf === undefined && schema.default !== undefined) text += ` // ${defaultText(schema)}`;
  return `${text}\n`;
}

function propertyVariants(
  name: string,
  schema: Schema,
  variants: readonly unknown[],
  indent: string,
  walk: JsonWalk,
): string {
  const description = typeof schema.description === "string" ? schema.description : undefined;
  const first: unknown = variants[0];
  const showsDescription =
    description !== undefined && !(isSchema(first) && first.description === description);
  let text = showsDescription ? `${indent}// ${description}\n` : "";
  if (schema.default !== undefined) text += `${indent}// ${defaultText(schema)}\n`;
  text += `${indent}${name}:\n`;
  variants.forEach((variant, index) => {
    text += `${indent} | ${nullableText(variant, `${indent}   `, walk)}`;
    const comments: string[] = [];
    if (isSchema(variant)) {
      const repeats = (index === 0 && showsDescription) || variant.description === description;
      if (typeof variant.description === "string" && !repeats) comments.push(variant.description);
      if (variant.default !== undefined) comments.push(defaultText(variant));
    }
    text += comments.length > 0 ? ` // ${comments.join(" ")}\n` : "\n";
  });
  return `${text}${indent},\n`;
}
