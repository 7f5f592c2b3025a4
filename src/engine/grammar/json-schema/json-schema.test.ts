// Texts that a schema takes and refuses, keyword by keyword; and what is refused as a whole.

import { describe, expect, test } from "vitest";
import { checkGrammar, createGrammarCompiler } from "../compile.ts";
import type { Grammar } from "../constraint.ts";
import { takes } from "../testing/sample-text.ts";
import { tokenBytes, vocabularySize } from "../testing/vocabulary.ts";

const compiler = createGrammarCompiler({ vocabularySize, tokenBytes });
const schemaOf = (schema: unknown): Grammar => ({ type: "json-schema", schema: schema as boolean });

interface Case {
  readonly schema: unknown;
  readonly taken: readonly string[];
  readonly refused: readonly string[];
}

const cases: { readonly [keyword: string]: Case } = {
  "any JSON": {
    schema: true,
    taken: ["null", "-0.5e-7", '"a\\u00e9\\ud83d\\ude42"', '[1, {"a": []}]', '{\n  "a": 1\n}'],
    refused: [
      "",
      " 1",
      "1 ",
      "01",
      "1.",
      "+1",
      "nul",
      '"\\ud83d"',
      '"\n"',
      "[1,]",
      '{"a" 1}',
      "{a: 1}",
      '"\\x"',
    ],
  },
  integer: {
    schema: { type: "integer" },
    taken: ["0", "-7", "9223372036854775807"],
    refused: ["1.0", "1e3", "00"],
  },
  "minimum and maximum": {
    schema: { type: "number", minimum: -1.5, exclusiveMaximum: 20 },
    taken: ["-1.5", "-1.50", "-0.7", "0", "19.999", "7"],
    refused: ["-1.51", "-2", "20", "20.0", "100", "1e1"],
  },
  "small bounds": {
    schema: { type: "number", minimum: 1e-3, maximum: 0.01 },
    taken: ["0.001", "0.0099"],
    refused: ["0", "0.0009", "0.011"],
  },
  "exclusive bounds of draft 4": {
    schema: { type: "integer", minimum: 5, exclusiveMinimum: true },
    taken: ["6"],
    refused: ["5"],
  },
  multipleOf: {
    schema: { type: "integer", multipleOf: 7 },
    taken: ["0", "-14", "1001"],
    refused: ["1", "1000"],
  },
  "multipleOf a fraction": {
    schema: { multipleOf: 0.25, type: "number" },
    taken: ["0.5", "1", "2.75"],
    refused: ["0.3", "0.255"],
  },
  "length in characters": {
    schema: { type: "string", minLength: 2, maxLength: 3 },
    taken: ['"ab"', '"🙂é"', '"a\\nb"', '"\\ud83d\\ude42x"'],
    refused: ['"a"', '"🙂"', '"abcd"'],
  },
  "a pattern is found anywhere": {
    schema: { type: "string", pattern: "b+" },
    taken: ['"abc"', '"b"'],
    refused: ['"ac"'],
  },
  "an anchored pattern, and a length": {
    schema: { type: "string", pattern: "^a+$", maxLength: 3 },
    taken: ['"aaa"', '"\\u0061"'],
    refused: ['"aaaa"', '"ba"'],
  },
  "lookahead, as validators of addresses write it": {
    schema: {
      type: "string",
      format: "email",
      pattern:
        "^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$",
    },
    taken: ['"ann.b@example.com"'],
    refused: ['".ann@example.com"', '"ann..b@example.com"', '"ann"'],
  },
  "format date": {
    schema: { type: "string", format: "date" },
    taken: ['"2024-02-29"', '"2000-02-29"'],
    refused: ['"2023-02-29"', '"1900-02-29"', '"2023-13-01"'],
  },
  "format ipv6": {
    schema: { type: "string", format: "ipv6" },
    taken: ['"::1"', '"fe80::1"', '"1:2:3:4:5:6:7:8"'],
    refused: ['"1:2:3"', '"1::2::3"'],
  },
  "an unknown format is an annotation": {
    schema: { type: "string", format: "colour" },
    taken: ['"red"'],
    refused: ["1"],
  },
  enum: {
    schema: { enum: ["a", 1, null, { b: [2] }] },
    taken: ['"a"', "1", "null", '{"b":[2]}'],
    refused: ['"b"', "2", "{}"],
  },
  "enum beside other keywords": {
    schema: { enum: ["ab", "c", 5], type: "string", minLength: 2 },
    taken: ['"ab"'],
    refused: ['"c"', "5"],
  },
  "const null": { schema: { const: null }, taken: ["null"], refused: ["0"] },
  "properties in order, required or not": {
    schema: {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "string" } },
      required: ["b"],
      additionalProperties: false,
    },
    taken: ['{"a": 1, "b": "x"}', '{"b":"x"}', '{\n  "b": "x"\n}'],
    refused: ['{"a": 1}', '{"b": "x", "a": 1}', '{"b": "x", "c": 1}', '{"b": "x", "b": "y"}', "{}"],
  },
  "other properties never repeat a declared one, however it is spelled": {
    schema: {
      type: "object",
      properties: { a: { type: "integer" } },
      additionalProperties: { type: "string" },
    },
    taken: ['{"a": 1, "b": "x"}', '{"ab": "x"}'],
    refused: ['{"a": 1, "a": "x"}', '{"\\u0061": "x"}', '{"b": 1}'],
  },
  patternProperties: {
    schema: {
      type: "object",
      patternProperties: { "^n_": { type: "number" }, _s$: { maxLength: 1 } },
      additionalProperties: false,
    },
    taken: ['{"n_a": 1}', '{"x_s": "y"}', '{"n_s": 2}'],
    refused: ['{"n_a": "1"}', '{"x_s": "yy"}', '{"n_s": "a"}', '{"other": 1}'],
  },
  propertyNames: {
    schema: { type: "object", propertyNames: { enum: ["x", "y"] } },
    taken: ['{"x": 1, "y": []}', "{}"],
    refused: ['{"z": 1}'],
  },
  "minProperties and maxProperties": {
    schema: {
      type: "object",
      properties: { a: true, b: true, c: true },
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 2,
    },
    taken: ['{"b": 1}', '{"a": 1, "c": 1}'],
    refused: ["{}", '{"a": 1, "b": 1, "c": 1}'],
  },
  "arrays with a prefix": {
    schema: {
      type: "array",
      prefixItems: [{ type: "string" }],
      items: { type: "integer" },
      minItems: 1,
      maxItems: 3,
    },
    taken: ['["a"]', '["a", 1, 2]'],
    refused: ["[]", "[1]", '["a", "b"]', '["a", 1, 2, 3]'],
  },
  "tuples of older drafts": {
    schema: { type: "array", items: [{ type: "null" }], additionalItems: false },
    taken: ["[null]", "[]"],
    refused: ["[null, 1]"],
  },
  "anyOf beside properties": {
    schema: {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "integer" } },
      anyOf: [{ required: ["a"] }, { required: ["b"] }],
      additionalProperties: false,
    },
    taken: ['{"a":1}', '{"b":1}', '{"a":1,"b":1}'],
    refused: ["{}"],
  },
  "allOf, each with properties": {
    schema: {
      allOf: [
        { properties: { a: { minimum: 3 } }, required: ["a"] },
        { properties: { a: { type: "integer" } } },
      ],
      type: "object",
    },
    taken: ['{"a": 3}', '{"a": 4, "b": true}'],
    refused: ['{"a": 2}', '{"a": "x"}', '{"b": 1}'],
  },
  "oneOf told apart by a constant": {
    schema: {
      oneOf: [
        { type: "object", properties: { kind: { const: "a" }, x: { type: "integer" } }, required: ["kind"] },
        { type: "object", properties: { kind: { const: "b" } }, required: ["kind"] },
        { type: "null" },
      ],
    },
    taken: ['{"kind":"a","x":1}', '{"kind":"b"}', "null"],
    refused: ['{"kind":"c"}'],
  },
  "recursion by $ref": {
    schema: {
      $defs: {
        node: {
          type: "object",
          properties: { next: { anyOf: [{ $ref: "#/$defs/node" }, { type: "null" }] } },
          required: ["next"],
          additionalProperties: false,
        },
      },
      $ref: "#/$defs/node",
    },
    taken: ['{"next":null}', '{"next":{"next":{"next":null}}}'],
    refused: ['{"next":{}}', "null"],
  },
  "$anchor, and a pointer with escapes": {
    schema: {
      $defs: { "a/b": { $anchor: "here", type: "boolean" } },
      anyOf: [{ $ref: "#here" }, { type: "array", items: { $ref: "#/$defs/a~1b" } }],
    },
    taken: ["true", "[false]"],
    refused: ["1", "[1]"],
  },
  "false is never": {
    schema: { type: "object", properties: { a: false, b: true } },
    taken: ['{"b": 1}', "{}"],
    refused: ['{"a": 1}'],
  },
  "unevaluatedProperties alone": {
    schema: { type: "object", properties: { a: true }, unevaluatedProperties: false },
    taken: ["{}"],
    refused: ['{"b": 1}'],
  },
};

for (const [keyword, { schema, taken, refused }] of Object.entries(cases)) {
  test(`schemas: ${keyword}`, () => {
    const grammar = compiler.compile(schemaOf(schema));
    expect(taken.filter((text) => !takes(grammar, text))).toEqual([]);
    expect(refused.filter((text) => takes(grammar, text))).toEqual([]);
  });
}

describe("a schema that cannot be enforced is refused, never ignored", () => {
  const nested = (depth: number): unknown =>
    depth === 0 ? true : { type: "array", items: nested(depth - 1) };
  const bad: { readonly [name: string]: unknown } = {
    not: { not: { type: "string" } },
    "if and else": { if: { type: "string" }, else: { minimum: 2 } },
    uniqueItems: { type: "array", uniqueItems: true },
    contains: { type: "array", contains: { const: 1 } },
    dependentRequired: { type: "object", dependentRequired: { a: ["b"] } },
    "unevaluatedProperties beside allOf": {
      allOf: [{ properties: { a: true } }],
      unevaluatedProperties: false,
    },
    "oneOf with branches that overlap": { oneOf: [{ type: "number" }, { type: "integer" }] },
    "a reference to elsewhere": { $ref: "https://example.com/schema" },
    "a reference to nothing": { $ref: "#/$defs/none" },
    "a reference to itself": { $ref: "#" },
    "references in a circle": {
      $defs: { a: { $ref: "#/$defs/b" }, b: { anyOf: [{ $ref: "#/$defs/a" }] } },
      $ref: "#/$defs/a",
    },
    "a value without end": { type: "object", properties: { a: { $ref: "#" } }, required: ["a"] },
    "a contradiction": { type: "integer", minimum: 5, maximum: 4 },
    "a length that contradicts a pattern": { type: "string", pattern: "^abc$", maxLength: 2 },
    "an unknown type": { type: "text" },
    "a keyword with a wrong value": { type: "string", minLength: "2" },
    "a backreference": { type: "string", pattern: "(a)\\1" },
    "a lookbehind": { type: "string", pattern: "(?<=a)b" },
    "a broken pattern": { type: "string", pattern: "(a" },
    "many alternatives beside each other": {
      allOf: Array.from({ length: 12 }, () => ({ anyOf: [{ minimum: 1 }, { maximum: 0 }] })),
    },
    "nesting without end": nested(5000),
    "a list without end": { type: "array", items: true, minItems: 1e9 },
    "repetitions of repetitions": {
      type: "string",
      pattern: "^((.{0,999}x){0,999}y){0,999}$",
      minLength: 100_000,
    },
    "no schema": "string",
    null: null,
  };
  for (const [name, schema] of Object.entries(bad)) {
    test(name, () => {
      expect(() => checkGrammar(schemaOf(schema))).toThrow(
        expect.objectContaining({ code: "engine/bad-grammar" }),
      );
    });
  }
});
