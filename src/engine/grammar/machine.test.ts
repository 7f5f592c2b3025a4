import { expect, test } from "vitest";
import { createGrammarCompiler } from "./compile.ts";
import type { TokenConstraint } from "./constraint.ts";
import { compileConstraint } from "./machine.ts";
import { stopToken, tokenBytes, vocabularySize } from "./testing/vocabulary.ts";

const grammars = createGrammarCompiler({ vocabularySize, tokenBytes });
const limits = { vocabularySize, grammars };
const letters = (text: string): number[] => [...new TextEncoder().encode(text)];

/** Thinks until 10, then writes 20 21 or 20 22 30, then yes or no, then stops. */
const constraint: TokenConstraint = {
  states: [
    { kind: "free", forbidden: [11, stopToken], on: new Map([[10, 1]]) },
    {
      kind: "paths",
      paths: [
        { tokens: [20, 21], to: 2 },
        { tokens: [20, 22, 30], to: 0 },
      ],
    },
    { kind: "grammar", grammar: { type: "choice", choices: ["yes", "no"] }, on: new Map([[stopToken, 3]]) },
    { kind: "free", on: new Map() },
  ],
};

function possible(tokens: readonly number[]): number[] {
  const machine = compileConstraint(constraint, limits);
  const at = tokens.reduce(machine.advance, machine.start);
  const logits = new Float32Array(vocabularySize);
  machine.apply(at, logits);
  return [...logits.keys()].filter((token) => logits[token] === 0);
}

test("free states forbid what they name, and lead on", () => {
  expect(possible([1, 2, 3])).toHaveLength(vocabularySize - 2);
  expect(possible([1, 2, 10])).toEqual([20]);
});

test("paths are followed to their ends", () => {
  expect(possible([10, 20])).toEqual([21, 22]);
  expect(possible([10, 20, 22])).toEqual([30]);
  expect(possible([10, 20, 22, 30])).toHaveLength(vocabularySize - 2);
});

test("a grammar's text ends with the tokens that may end it, and only when it is complete", () => {
  const [y, e, s] = letters("yes");
  expect(possible([10, 20, 21])).toEqual(expect.arrayContaining(letters("yn")));
  expect(possible([10, 20, 21])).toHaveLength(2);
  expect(possible([10, 20, 21, y, e])).toEqual([s]);
  expect(possible([10, 20, 21, y, e, s])).toEqual([stopToken]);
  expect(possible([10, 20, 21, y, e, s, stopToken])).toHaveLength(vocabularySize);
});

test("an earlier position can be gone on from again", () => {
  const machine = compileConstraint(constraint, limits);
  const earlier = [10, 20].reduce(machine.advance, machine.start);
  const later = machine.advance(earlier, 21);
  expect(machine.advance(earlier, 22)).not.toEqual(later);
  expect(machine.allowed(earlier)).toEqual({ mask: { kind: "few", tokens: [21, 22] }, also: [] });
});

test("what is no constraint is refused before anything is sampled", () => {
  const free = { kind: "free", on: new Map() } as const;
  const bad: readonly unknown[] = [
    { states: [] },
    { states: [{ kind: "other" }] },
    { states: [{ kind: "free", on: {} }] },
    { states: [{ kind: "free", on: new Map([[vocabularySize, 0]]) }] },
    { states: [{ kind: "free", on: new Map([[1, 1]]) }] },
    { states: [{ kind: "free", forbidden: [-1], on: new Map() }] },
    { states: [{ kind: "paths", paths: [] }] },
    { states: [{ kind: "paths", paths: [{ tokens: [], to: 0 }] }] },
    {
      states: [
        {
          kind: "paths",
          paths: [
            { tokens: [1, 2], to: 0 },
            { tokens: [1], to: 0 },
          ],
        },
      ],
    },
    {
      states: [
        {
          kind: "paths",
          paths: [
            { tokens: [1], to: 0 },
            { tokens: [1, 2], to: 0 },
          ],
        },
      ],
    },
    { states: [free, { kind: "grammar", grammar: { type: "json" }, on: new Map() }] },
  ];
  for (const one of bad) {
    expect(() => compileConstraint(one as TokenConstraint, limits)).toThrow(
      expect.objectContaining({ code: "engine/bad-request" }),
    );
  }
  const json = { kind: "grammar", grammar: { type: "json" }, on: new Map([[stopToken, 0]]) } as const;
  expect(() => compileConstraint({ states: [json] }, { ...limits, grammars: undefined })).toThrow(
    expect.objectContaining({ code: "engine/bad-grammar" }),
  );
});

test("a vocabulary that cannot go on says so", () => {
  const poor = createGrammarCompiler({ vocabularySize: 3, tokenBytes: () => Uint8Array.of(0x61) });
  const state = {
    kind: "grammar",
    grammar: { type: "choice", choices: ["ab"] },
    on: new Map([[1, 0]]),
  } as const;
  const machine = compileConstraint({ states: [state] }, { vocabularySize: 3, grammars: poor });
  const after = machine.advance(machine.start, 0);
  expect(() => machine.apply(after, new Float32Array(3))).toThrow(
    expect.objectContaining({ code: "engine/bad-grammar" }),
  );
});
