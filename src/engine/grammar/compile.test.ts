import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { random } from "../../base/index.ts";
import { createGrammarCompiler } from "./compile.ts";
import type { Grammar } from "./constraint.ts";
import { applyMask, type TokenMask } from "./mask.ts";
import { sampleText, takes } from "./testing/sample-text.ts";
import { tokenBytes, vocabularySize } from "./testing/vocabulary.ts";

const compiler = createGrammarCompiler({ vocabularySize, tokenBytes });

describe("choice", () => {
  const choices = ["yes", "yes, but", "no", "é", "", '"quoted"'];
  const grammar = compiler.compile({ type: "choice", choices });
  test("takes each of the texts and nothing else", () => {
    expect(choices.filter((text) => !takes(grammar, text))).toEqual([]);
    expect(["ye", "yes,", "nono", " no"].filter((text) => takes(grammar, text))).toEqual([]);
  });
  test("a thousand long texts are no matter", () => {
    const texts = Array.from({ length: 1000 }, (_, i) => `${"common beginning ".repeat(20)}${i}`);
    expect(takes(compiler.compile({ type: "choice", choices: texts }), texts[789])).toBe(true);
  });
});

describe("json", () => {
  test("is an object", () => {
    const grammar = compiler.compile({ type: "json" });
    expect(["{}", '{"a": [1, null]}'].every((text) => takes(grammar, text))).toBe(true);
    expect(["[]", "1", ""].some((text) => takes(grammar, text))).toBe(false);
  });
});

describe("regex", () => {
  const patterns = [
    "a+b?",
    "(?:ab|cd){2,3}",
    "[^a-c]{0,4}",
    "\\d{2}-\\w*",
    ".*x.*",
    "(a|b)*a(a|b){3}",
    "(?!ab)[a-d]+",
    "\\p{Lu}\\p{Ll}*",
    "a$|^$|b",
    "[\\u{1F600}-\\u{1F64F}é]+",
    "(?=.*a)(?=.*b)[abc]{2,5}",
  ];
  const texts = fc.oneof(
    fc.stringMatching(/^[a-dx]{0,8}$/),
    fc.string({ unit: fc.constantFrom("a", "b", "é", "😀", "1", "-", "\n", "X", "_"), maxLength: 6 }),
  );
  for (const source of patterns) {
    test(`takes what JavaScript takes: ${source}`, () => {
      const grammar = compiler.compile({ type: "regex", pattern: source });
      const expected = new RegExp(`^(?:${source})$`, "u");
      fc.assert(
        fc.property(texts, (text) => takes(grammar, text) === expected.test(text)),
        { seed: 7, numRuns: 200 },
      );
      const sampled = Array.from({ length: 20 }, (_, seed) => sampleText(grammar, random(seed), 60));
      const whole = sampled.filter((text) => text !== undefined);
      expect(whole.filter((text) => !expected.test(text))).toEqual([]);
    });
  }
});

describe("masks", () => {
  const allows = (mask: TokenMask, token: number): boolean =>
    mask.kind === "few" ? mask.tokens.includes(token) : ((mask.bits[token >> 5] >> (token & 31)) & 1) === 1;
  const grammars: readonly Grammar[] = [
    { type: "json" },
    { type: "regex", pattern: "[^q]*" },
    { type: "json-schema", schema: { type: "array", items: { type: "string", maxLength: 3 } } },
    {
      type: "json-schema",
      schema: { type: "object", additionalProperties: { enum: ["a", "b\n"] }, properties: { abc: true } },
    },
  ];
  test("hold exactly the tokens that the grammar goes on with, at every place of a text", () => {
    for (const grammar of grammars.map((source) => compiler.compile(source))) {
      const source = random(3);
      let at = grammar.start;
      for (let step = 0; step < 40; step++) {
        const mask = grammar.mask(at);
        const possible = Array.from({ length: vocabularySize }, (_, token) => token).filter(
          (token) => grammar.advance(at, token) !== undefined,
        );
        expect(possible.length === 0 || possible.every((token) => allows(mask, token))).toBe(true);
        expect(
          Array.from({ length: vocabularySize }, (_, token) => token).filter((token) => allows(mask, token)),
        ).toEqual(possible);
        if (possible.length === 0) break;
        at = grammar.advance(at, possible[Math.floor(source.float() * possible.length)])!;
      }
    }
  });

  test("leave the logits of what may come as they are", () => {
    const few: TokenMask = { kind: "few", tokens: [1, 40] };
    const many: TokenMask = { kind: "many", bits: Int32Array.of(2, 1 << 8) };
    for (const mask of [few, many]) {
      const logits = Float32Array.from({ length: 50 }, (_, i) => i / 2);
      applyMask(logits, mask, [3]);
      const kept = [...logits.keys()].filter((token) => logits[token] > Number.NEGATIVE_INFINITY);
      expect(kept).toEqual([1, 3, 40]);
      expect(kept.map((token) => logits[token])).toEqual([0.5, 1.5, 20]);
    }
  });
});

describe("hostile grammars end in bounded time and memory", () => {
  const hostile: { readonly [name: string]: string } = {
    "nested quantifiers": "(a+)+b",
    "exponential states": "(a|b)*a(a|b){200}",
    "nested optional repetitions": "(.{0,1000}){0,1000}",
    "large counts": "((a{1,1000}){1,1000}){1,1000}",
    "many lookaheads": `${Array.from({ length: 30 }, (_, i) => `(?!.*${i}.*${i})`).join("")}.*`,
    "deep groups": `${"(".repeat(150)}a${")".repeat(150)}`,
    "too deep groups": `${"(".repeat(20_000)}a${")".repeat(20_000)}`,
    "a long text": "x".repeat(19_000),
  };
  for (const [name, pattern] of Object.entries(hostile)) {
    test(name, () => {
      try {
        const grammar = compiler.compile({ type: "regex", pattern });
        sampleText(grammar, random(1), 40);
      } catch (error) {
        expect(error).toMatchObject({ code: "engine/bad-grammar" });
      }
    });
  }

  test("grammars are compiled once while they are in use", () => {
    const grammar: Grammar = { type: "choice", choices: ["once"] };
    const first = compiler.compile(grammar);
    expect(compiler.compile({ ...grammar })).toBe(first);
    for (let i = 0; i < 40; i++) compiler.compile({ type: "choice", choices: [`other ${i}`] });
    expect(compiler.compile(grammar)).not.toBe(first);
  });

  test("a long run inside one text forgets what it no longer needs", () => {
    const grammar = compiler.compile({ type: "json-schema", schema: { type: "string", maxLength: 50_000 } });
    let at = grammar.start;
    for (const byte of new TextEncoder().encode(`"${"ab é ".repeat(4000)}`)) at = grammar.advance(at, byte)!;
    grammar.mask(at);
    expect(takes({ ...grammar, start: at }, '"')).toBe(true);
  });
});
