// A request's constraint, checked and compiled: where its text stands, and what may be sampled there. Positions are
// immutable, so that going back is remembering one. Knows token ids, never what they mean to the caller.

import { GptOssError } from "../../base/index.ts";
import type { LogitsProcessor } from "../sampler/processors.ts";
import type { CompiledGrammar, Configuration, GrammarCompiler } from "./compile.ts";
import type { ConstraintPath, ConstraintState, TokenConstraint } from "./constraint.ts";
import { badGrammar } from "./expression/bad-grammar.ts";
import { applyMask, type TokenMask } from "./mask.ts";

/** A state of the constraint, and where in its text. */
export type Position =
  | { readonly state: FreeState }
  | { readonly state: PathsState; readonly node: PathNode }
  | { readonly state: GrammarState; readonly configuration: Configuration };

interface FreeState {
  readonly kind: "free";
  readonly forbidden: readonly number[];
  readonly on: ReadonlyMap<number, number>;
}

interface PathsState {
  readonly kind: "paths";
  readonly root: PathNode;
}

/** Of a tree of paths; a leaf leads to a state. */
interface PathNode {
  readonly children: Map<number, PathNode>;
  to?: number;
}

interface GrammarState {
  readonly kind: "grammar";
  readonly grammar: CompiledGrammar;
  readonly on: ReadonlyMap<number, number>;
}

export interface ConstraintMachine {
  readonly start: Position;
  /** The tokens that may come; `undefined`: all but `forbidden`. */
  allowed(at: Position): { readonly mask: TokenMask; readonly also: readonly number[] } | undefined;
  /** Makes everything else impossible in `logits` `[V]`. */
  apply(at: Position, logits: Float32Array): void;
  /** Throws for a token that may not come there. */
  advance(at: Position, token: number): Position;
}

export interface ConstraintLimits {
  readonly vocabularySize: number;
  /** Absent in an engine that does not know its tokens' text. */
  readonly grammars: GrammarCompiler | undefined;
}

/** Throws `engine/bad-request` for what is no constraint, `engine/bad-grammar` for what cannot be enforced. */
export function compileConstraint(constraint: TokenConstraint, limits: ConstraintLimits): ConstraintMachine {
  const { states } = constraint;
  if (!Array.isArray(states) || states.length === 0) throw refusal("has no states");
  const compiled = states.map((state) => compileState(state, { ...limits, states: states.length }));

  function enter(index: number): Position {
    const state = compiled[index];
    switch (state.kind) {
      case "free":
        return { state };
      case "paths":
        return { state, node: state.root };
      case "grammar":
        return { state, configuration: state.grammar.start };
      default:
        return state satisfies never;
    }
  }

  function allowed(at: Position) {
    if ("node" in at) {
      const tokens = [...at.node.children.keys()];
      return { mask: { kind: "few", tokens } as const, also: [] };
    }
    if (!("configuration" in at)) return undefined;
    const { state, configuration } = at;
    const mask = state.grammar.mask(configuration);
    const also = configuration.isComplete ? [...state.on.keys()] : [];
    if (also.length === 0 && mask.kind === "few" && mask.tokens.length === 0) {
      throw badGrammar(
        "no token of this vocabulary goes on with the grammar's text",
        "the vocabulary lacks tokens for single bytes",
      );
    }
    return { mask, also };
  }

  return {
    start: enter(0),
    allowed,
    apply(at, logits) {
      const tokens = allowed(at);
      if (tokens !== undefined) applyMask(logits, tokens.mask, tokens.also);
      else if (at.state.kind === "free")
        for (const token of at.state.forbidden) logits[token] = Number.NEGATIVE_INFINITY;
    },
    advance(at, token) {
      if ("node" in at) {
        const node = at.node.children.get(token);
        if (node === undefined) throw misplaced(token);
        return node.to === undefined ? { state: at.state, node } : enter(node.to);
      }
      if (!("configuration" in at)) {
        const to = at.state.on.get(token);
        return to === undefined ? at : enter(to);
      }
      const { state, configuration } = at;
      const to = configuration.isComplete ? state.on.get(token) : undefined;
      if (to !== undefined) return enter(to);
      const next = state.grammar.advance(configuration, token);
      if (next === undefined) throw misplaced(token);
      return { state, configuration: next };
    },
  };
}

/** After every other edit of the logits, so that none of them makes a token possible again. */
export function constrained(machine: ConstraintMachine): LogitsProcessor {
  let at = machine.start;
  return {
    apply: (logits) => machine.apply(at, logits),
    accept(token) {
      at = machine.advance(at, token);
    },
  };
}

interface StateLimits extends ConstraintLimits {
  readonly states: number;
}

function compileState(state: ConstraintState, limits: StateLimits): FreeState | PathsState | GrammarState {
  switch (state?.kind) {
    case "free": {
      const forbidden = [...(state.forbidden ?? [])];
      for (const token of forbidden) checkToken(token, limits);
      return { kind: "free", forbidden, on: checkedMoves(state.on, limits) };
    }
    case "paths":
      return { kind: "paths", root: treeOf(state.paths, limits) };
    case "grammar": {
      if (limits.grammars === undefined) {
        throw badGrammar(
          "this engine does not know the text of its tokens, so it cannot follow a grammar",
          "make it with tokenBytes",
        );
      }
      const on = checkedMoves(state.on, limits);
      if (on.size === 0) throw refusal("has a grammar that nothing ends");
      return { kind: "grammar", grammar: limits.grammars.compile(state.grammar), on };
    }
    default:
      state satisfies undefined;
      throw refusal("has a state of unknown kind");
  }
}

function treeOf(paths: readonly ConstraintPath[], limits: StateLimits): PathNode {
  if (!Array.isArray(paths) || paths.length === 0) throw refusal("has a state without paths");
  const root: PathNode = { children: new Map() };
  for (const { tokens, to } of paths) {
    let node = root;
    for (const token of tokens) {
      checkToken(token, limits);
      let next = node.children.get(token);
      if (next === undefined) node.children.set(token, (next = { children: new Map() }));
      node = next;
      if (node.to !== undefined) throw refusal("has a path that begins with another");
    }
    if (node.children.size > 0 || node === root) throw refusal("has a path that is the start of another");
    checkTarget(to, limits);
    node.to = to;
  }
  return root;
}

function checkedMoves(on: ReadonlyMap<number, number>, limits: StateLimits): ReadonlyMap<number, number> {
  if (!(on instanceof Map)) throw refusal("has moves that are no Map");
  for (const [token, to] of on) {
    checkToken(token, limits);
    checkTarget(to, limits);
  }
  return new Map(on);
}

function checkToken(token: number, { vocabularySize }: ConstraintLimits): void {
  if (Number.isInteger(token) && token >= 0 && token < vocabularySize) return;
  throw refusal(`names the token ${token} of a vocabulary of ${vocabularySize}`);
}

function checkTarget(to: number, { states }: StateLimits): void {
  if (Number.isInteger(to) && to >= 0 && to < states) return;
  throw refusal(`leads to state ${to} of ${states}`);
}

function refusal(what: string): GptOssError {
  return new GptOssError("engine/bad-request", {
    message: `constraint ${what}`,
    hint: "see TokenConstraint for what its states hold",
  });
}

function misplaced(token: number): GptOssError {
  return new GptOssError("engine/bad-grammar", {
    message: `token ${token} was sampled where the constraint does not allow it`,
    hint: "please report this, with the request",
  });
}
