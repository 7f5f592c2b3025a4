// From what a caller writes to what the sampler asks: which tokens may come here, and where a token leads. Compiled
// grammars are kept, and so is the vocabulary that they share. Nothing is compiled further than texts have come.

import { GptOssError } from "../../base/index.ts";
import { createByteClassTables } from "./byte-classes.ts";
import type { Grammar } from "./constraint.ts";
import { badGrammar } from "./expression/bad-grammar.ts";
import { createExpressions, type Expressions } from "./expression/expression.ts";
import { wholeMatch } from "./expression/from-regex.ts";
import { createWork, type Work } from "./expression/work.ts";
import { asSchema } from "./json-schema/schema.ts";
import { addSchema } from "./json-schema/values.ts";
import { createLexemes } from "./lexeme.ts";
import { computeMask, createMaskCache, type MaskCache, type TokenMask } from "./mask.ts";
import { type Configuration, createMatcher } from "./matcher.ts";
import { createNetworkBuilder, type NetworkBuilder } from "./network.ts";
import { createVocabulary, type Vocabulary } from "./token-trie.ts";

export type { Configuration } from "./matcher.ts";

/** Places in it are immutable, so that whoever goes back only has to remember one. */
export interface CompiledGrammar {
  readonly start: Configuration;
  /** `undefined`: the token cannot come here. */
  advance(from: Configuration, token: number): Configuration | undefined;
  mask(at: Configuration): TokenMask;
}

export interface GrammarCompiler {
  /** Throws `engine/bad-grammar` for what cannot be enforced, or not at a bearable cost. */
  compile(grammar: Grammar): CompiledGrammar;
}

export interface GrammarCompilerOptions {
  readonly vocabularySize: number;
  /** `undefined` for tokens that are no text. */
  readonly tokenBytes: (token: number) => Uint8Array | undefined;
}

const maxCompiled = 32;
const maxSourceLength = 1_000_000;
/** Work units: about a second of the costliest. */
const compileWork = 3_000_000;

/** The vocabulary is read with the first grammar. */
export function createGrammarCompiler(options: GrammarCompilerOptions): GrammarCompiler {
  /** Least recently used first. */
  const compiled = new Map<string, CompiledGrammar>();
  const masks = createMaskCache();
  let vocabulary: Vocabulary | undefined;

  return {
    compile(grammar) {
      const source = sourceOf(grammar);
      const known = compiled.get(source);
      compiled.delete(source);
      vocabulary ??= createVocabulary(options.vocabularySize, options.tokenBytes);
      // A copy: the caller's may change while the request runs.
      const made = known ?? compileGrammar(JSON.parse(source), { ...options, vocabulary, masks });
      compiled.set(source, made);
      if (compiled.size > maxCompiled) for (const oldest of compiled.keys()) return drop(oldest, made);
      return made;
    },
  };

  function drop(oldest: string, made: CompiledGrammar): CompiledGrammar {
    compiled.delete(oldest);
    return made;
  }
}

function sourceOf(grammar: Grammar): string {
  let source: string;
  try {
    source = JSON.stringify(grammar);
  } catch (cause) {
    throw badGrammar("the grammar is no plain data, or is nested too deep", messageOf(cause));
  }
  if (source.length <= maxSourceLength) return source;
  throw badGrammar(`the grammar is ${source.length} characters long`, `at most ${maxSourceLength} are taken`);
}

interface Shared extends GrammarCompilerOptions {
  readonly vocabulary: Vocabulary;
  readonly masks: MaskCache;
}

/**
 * Throws `engine/bad-grammar` for what cannot be enforced; takes milliseconds, and no vocabulary. The grammars of one
 * request together may cost what one may.
 */
export function checkGrammar(...grammars: readonly Grammar[]): void {
  const work = compileAllowance();
  for (const source of new Set(grammars.map(sourceOf))) buildMatcher(JSON.parse(source), work);
}

function compileAllowance(): Work {
  const work = createWork();
  work.allow(compileWork);
  return work;
}

function buildMatcher(grammar: Grammar, work = compileAllowance()) {
  return withinStack(() => {
    const expressions = createExpressions(work);
    const tables = createByteClassTables();
    const lexemes = createLexemes(expressions, tables);
    const network = createNetworkBuilder(expressions, lexemes);
    addGrammar(network, grammar);
    const matcher = createMatcher(network.finish(), { lexemes, tables, work });
    return { matcher, expressions, work };
  });
}

function compileGrammar(grammar: Grammar, { vocabulary, masks, tokenBytes }: Shared): CompiledGrammar {
  const { matcher, expressions, work } = buildMatcher(grammar);

  function sweep(): void {
    matcher.sweep();
    expressions.sweep();
  }

  function mask(at: Configuration): TokenMask {
    const known = masks.get(at);
    if (known !== undefined) return known;
    const made = withinStack(() => computeMask(at, { matcher, vocabulary, work }));
    masks.set(at, made);
    sweep();
    return made;
  }

  mask(matcher.start); // what is too expensive shows before anything is sampled
  return {
    start: matcher.start,
    mask,
    advance(from, token) {
      work.allow(compileWork);
      const bytes = tokenBytes(token);
      if (bytes === undefined || bytes.length === 0) return undefined;
      let at: Configuration | undefined = from;
      for (const byte of bytes) at = at && matcher.step(at, byte);
      sweep();
      return at;
    },
  };
}

function addGrammar(network: NetworkBuilder, grammar: Grammar): void {
  const { expressions } = network;
  switch (grammar.type) {
    case "json":
      addSchema(network, { type: "object" });
      return;
    case "json-schema":
      addSchema(network, asSchema(grammar.schema, "schema"));
      return;
    case "choice":
      addText(network, choiceExpression(expressions, grammar.choices));
      return;
    case "regex":
      if (typeof grammar.pattern !== "string") throw badGrammar("the pattern is no string", "give one");
      addText(network, wholeMatch(expressions, grammar.pattern));
      return;
    default:
      grammar satisfies never;
      throw badGrammar("this type of grammar is unknown", "use json, json-schema, choice or regex");
  }
}

function choiceExpression(expressions: Expressions, choices: readonly string[]) {
  const areTexts = Array.isArray(choices) && choices.every((choice) => typeof choice === "string");
  if (!areTexts || choices.length === 0)
    throw badGrammar("a choice has no texts to choose from", "give at least one");
  return expressions.oneOf(choices);
}

function addText(network: NetworkBuilder, expression: ReturnType<Expressions["literal"]>): void {
  const { start, end } = network.rule();
  network.text(start, expression, end);
}

/** Deep nesting, of schemas or patterns, is data, and must not look like a defect. */
function withinStack<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof GptOssError || !(error instanceof RangeError)) throw error;
    throw badGrammar("the grammar is nested too deep", "make it flatter");
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
