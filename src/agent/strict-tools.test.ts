// Parameters as people write them, in zod, can be enforced: nothing that is common there is refused.

import { describe, expect, test } from "vitest";
import * as z from "zod";
import { createGrammarCompiler } from "../engine/grammar/compile.ts";
import { takes } from "../engine/grammar/testing/sample-text.ts";
import { tokenBytes, vocabularySize } from "../engine/grammar/testing/vocabulary.ts";
import { tool } from "./tool.ts";

const compiler = createGrammarCompiler({ vocabularySize, tokenBytes });
const wrap = (inner: z.ZodType) => z.object({ value: inner });

const cases: { readonly [name: string]: readonly [schema: z.ZodType, good: unknown, bad: unknown] } = {
  email: [z.email(), "ann@example.com", "ann@@example.com"],
  uuid: [z.uuid(), "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "6ba7b810"],
  "date and time": [z.iso.datetime(), "2024-02-29T12:30:00Z", "2023-02-29T12:30:00Z"],
  date: [z.iso.date(), "2024-02-29", "2023-02-29"],
  url: [z.url(), "https://example.com/a?b=c#d", "example"],
  ipv4: [z.ipv4(), "127.0.0.1", "127.0.0.256"],
  "integers, whose bounds are those of a double": [z.int(), 9007199254740991, 9007199254740992],
  "numbers above 0": [z.number().positive(), 0.5, 0],
  "lengths and beginnings": [z.string().min(2).max(5).startsWith("ab"), "abc", "a"],
  "nullable and optional": [z.string().nullable().optional(), null, 1],
  records: [z.record(z.string(), z.number()), { a: 1, b: 2 }, { a: "x" }],
  "records of few names": [z.partialRecord(z.enum(["a", "b"]), z.number()), { a: 1 }, { c: 1 }],
  tuples: [z.tuple([z.string(), z.number()]), ["a", 1], [1, "a"]],
  "unions that overlap": [
    z.union([z.object({ a: z.string() }), z.object({ a: z.string(), b: z.number() })]),
    { a: "x", b: 1 },
    { b: 1 },
  ],
  "discriminated unions": [
    z.discriminatedUnion("kind", [
      z.object({ kind: z.literal("a"), x: z.number() }),
      z.object({ kind: z.literal("b") }),
    ]),
    { kind: "a", x: 1 },
    { kind: "a" },
  ],
  intersections: [
    z.intersection(z.object({ a: z.string() }), z.object({ b: z.number() })),
    { a: "x", b: 1 },
    { a: "x" },
  ],
  "defaults and descriptions": [z.enum(["c", "f"]).default("c").describe("unit"), "f", "k"],
};

describe("strict parameters in zod", () => {
  for (const [name, [schema, good, bad]] of Object.entries(cases)) {
    test(name, () => {
      const { strictParameters } = tool({ parameters: wrap(schema), strict: true });
      const grammar = compiler.compile({ type: "json-schema", schema: strictParameters! });
      expect(takes(grammar, JSON.stringify({ value: good }))).toBe(true);
      expect(takes(grammar, JSON.stringify({ value: bad }))).toBe(false);
      expect(wrap(schema).safeParse({ value: good }).success).toBe(true);
    });
  }
});
