import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { GptOssError, random } from "../../base/index.ts";
import { createGrammarCompiler } from "./compile.ts";
import { sampleText } from "./testing/sample-text.ts";
import { tokenBytes, vocabularySize } from "./testing/vocabulary.ts";

const fixed = { seed: 20261120, numRuns: 150 };

const name = fc.constantFrom("a", "b", "name", "é", 'q"uote', "x y");
const value = fc.oneof(
  fc.constantFrom(null, true, 1, -2.5, 0, "a", "", "é\n", 'with "quotes"'),
  fc.array(fc.integer(), { maxLength: 2 }),
  fc.record({ a: fc.integer() }),
);
const range = (min: string, max: string, limit: number) =>
  fc
    .record({ low: fc.integer({ min: 0, max: limit }), more: fc.integer({ min: 0, max: limit }) })
    .chain(({ low, more }) =>
      fc.constantFrom({}, { [min]: low }, { [max]: low + more }, { [min]: low, [max]: low + more }),
    );

const bounds = fc.constantFrom(
  {},
  { minimum: -3 },
  { maximum: 12.5 },
  { exclusiveMinimum: 0, maximum: 1 },
  { minimum: 99, exclusiveMaximum: 1001 },
  { minimum: -0.05, maximum: 0.05 },
  { minimum: -250, maximum: -7 },
  { multipleOf: 5 },
  { multipleOf: 7, minimum: 100 },
);

const schemas = fc.letrec<{ schema: unknown; object: Record<string, unknown> }>((tie) => {
  const objects = fc
    .record({
      properties: fc.dictionary(name, tie("schema"), { maxKeys: 4, noNullPrototype: true }),
      required: fc.uniqueArray(name, { maxLength: 2 }),
      additionalProperties: fc.oneof(fc.boolean(), tie("schema")),
      patternProperties: fc.option(
        fc.dictionary(fc.constantFrom("^a", "e$", "\\d"), tie("schema"), {
          maxKeys: 2,
          noNullPrototype: true,
        }),
        { nil: undefined, freq: 4 },
      ),
      propertyNames: fc.option(fc.constantFrom({ maxLength: 5 }, { pattern: "^[a-z]" }), {
        nil: undefined,
        freq: 6,
      }),
      counts: fc.constantFrom({}, {}, { minProperties: 1 }, { maxProperties: 2 }),
    })
    .map(({ counts, ...rest }) => clean({ type: "object", ...rest, ...counts }));
  return {
    schema: fc.oneof(
      { depthSize: "small", withCrossShrink: true, maxDepth: 4 },
      fc.constantFrom(true, { type: "null" }, { type: "boolean" }, { type: ["string", "null"] }),
      fc
        .record({ type: fc.constantFrom("number", "integer"), bounds })
        .map(({ type, bounds: inner }) => ({ type, ...inner })),
      fc
        .record({
          pattern: fc.constantFrom(undefined, "^[a-z]+$", "b", "^(?!a).*", "^\\p{L}{2,}$", "(^|,)x"),
          length: range("minLength", "maxLength", 6),
        })
        .map(({ pattern, length }) => clean({ type: "string", pattern, ...length })),
      fc
        .constantFrom("date", "time", "date-time", "email", "ipv4", "uuid")
        .map((format) => ({ type: "string", format })),
      fc
        .uniqueArray(value, { minLength: 1, maxLength: 4, selector: (item) => JSON.stringify(item) })
        .map((items) => ({ enum: items })),
      value.map((item) => ({ const: item })),
      fc.constant({ $ref: "#/$defs/shared" }),
      tie("object"),
      fc
        .record({
          items: fc.oneof(fc.boolean(), tie("schema")),
          prefixItems: fc.array(tie("schema"), { maxLength: 2 }),
          counts: range("minItems", "maxItems", 3),
        })
        .map(({ items, prefixItems, counts }) =>
          clean({
            type: "array",
            items,
            prefixItems: prefixItems.length > 0 ? prefixItems : undefined,
            ...counts,
          }),
        ),
      fc.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
      fc.array(tie("schema"), { minLength: 1, maxLength: 2 }).map((oneOf) => ({ oneOf })),
      fc.tuple(tie("object"), tie("object")).map((allOf) => ({ allOf })),
      fc
        .tuple(tie("object"), tie("object"))
        .map(([one, other]) => ({ ...one, anyOf: [other, { required: ["b"] }] })),
    ),
    object: objects,
  };
});

function clean(schema: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(schema).filter(([, item]) => item !== undefined));
}

const ajv = new Ajv2020({ strict: false, logger: false, validateFormats: false });

test("whatever is sampled under a schema is valid for it, and what cannot be enforced is refused", {
  timeout: 60_000,
}, () => {
  const compiler = createGrammarCompiler({ vocabularySize, tokenBytes });
  let refusals = 0;
  let texts = 0;
  fc.assert(
    fc.property(schemas.schema, schemas.object, fc.integer(), (schema, shared, seed) => {
      const whole = typeof schema === "object" ? { ...schema, $defs: { shared } } : schema;
      const root = JSON.parse(JSON.stringify(whole)); // ajv compares prototypes too
      const grammar = compileOrRefuse(() => compiler.compile({ type: "json-schema", schema: root }));
      if (grammar === undefined) return void refusals++;
      const isValid = ajv.compile(root);
      const source = random(seed);
      for (let i = 0; i < 4; i++) {
        const text = sampleText(grammar, source);
        if (text === undefined) continue;
        texts++;
        if (!isValid(JSON.parse(text)))
          throw new Error(`${text} is not valid: ${ajv.errorsText(isValid.errors)}`);
      }
    }),
    fixed,
  );
  // Refused are contradictions, schemas that refer to themselves, and `oneOf` whose branches overlap.
  expect(refusals).toBeLessThan(fixed.numRuns / 2);
  expect(texts).toBeGreaterThan(fixed.numRuns);
});

function compileOrRefuse<T>(compile: () => T): T | undefined {
  try {
    return compile();
  } catch (error) {
    expect(error).toBeInstanceOf(GptOssError);
    expect((error as GptOssError).code).toBe("engine/bad-grammar");
    return undefined;
  }
}
