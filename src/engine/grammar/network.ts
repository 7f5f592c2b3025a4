// A grammar as rules that call each other: inside a rule, states are joined by stretches of text and by calls. Owns what
// can be finished at all: whatever leads nowhere is cut off before anything runs, so that no sampled text ever gets
// stuck. Knows neither schemas nor tokens.

import { badGrammar } from "./expression/bad-grammar.ts";
import type { Expression, Expressions } from "./expression/expression.ts";
import type { Encoding, Lexeme, Lexemes } from "./lexeme.ts";

export type Edge =
  | { readonly kind: "text"; readonly lexeme: Lexeme; readonly to: number }
  | { readonly kind: "call"; readonly rule: number; readonly to: number }
  | { readonly kind: "empty"; readonly to: number };

/** A rule begins at its first state and ends at the second; it matches at least one byte, and no call comes first. */
export interface Rule {
  readonly start: number;
  readonly end: number;
}

export interface Network {
  readonly rules: readonly Rule[];
  /** By state. */
  readonly edges: readonly (readonly Edge[])[];
  /** By state: whether it ends its rule. */
  readonly isEnd: readonly boolean[];
}

export interface NetworkBuilder {
  readonly expressions: Expressions;
  /** A new rule; its index is its name. */
  rule(): { readonly index: number } & Rule;
  state(): number;
  text(from: number, expression: Expression, to: number, encoding?: Encoding): void;
  call(from: number, rule: number, to: number): void;
  skip(from: number, to: number): void;
  /** Rule 0 is the whole text. Throws `engine/bad-grammar` where no text matches. */
  finish(): Network;
}

const maxStates = 100_000;

export function createNetworkBuilder(expressions: Expressions, lexemes: Lexemes): NetworkBuilder {
  const rules: Rule[] = [];
  const edges: Edge[][] = [];
  const isEnd: boolean[] = [];

  function state(): number {
    if (edges.length >= maxStates) {
      throw badGrammar(
        "this grammar is too large",
        "use smaller bounds for repetitions, and fewer alternatives",
      );
    }
    isEnd.push(false);
    return edges.push([]) - 1;
  }

  /** By state: whether the end of its rule can be reached from it. A fixed point, because rules call each other. */
  function findFinishing(): boolean[] {
    const finishing = [...isEnd];
    const into: { readonly from: number; readonly rule: number | undefined }[][] = edges.map(() => []);
    const callers: { readonly from: number; readonly to: number }[][] = rules.map(() => []);
    for (const [from, leaving] of edges.entries()) {
      for (const edge of leaving) {
        const rule = edge.kind === "call" ? edge.rule : undefined;
        into[edge.to].push({ from, rule });
        if (rule !== undefined) callers[rule].push({ from, to: edge.to });
      }
    }
    const ruleOfStart = new Map(rules.map(({ start }, index) => [start, index]));
    const work = [...edges.keys()].filter((at) => finishing[at]);
    const mark = (at: number): void => {
      if (!finishing[at]) work.push(at);
      finishing[at] = true;
    };
    for (let at = work.pop(); at !== undefined; at = work.pop()) {
      for (const { from, rule } of into[at])
        if (rule === undefined || finishing[rules[rule].start]) mark(from);
      const started = ruleOfStart.get(at);
      if (started !== undefined) for (const { from, to } of callers[started]) if (finishing[to]) mark(from);
    }
    return finishing;
  }

  return {
    expressions,
    rule() {
      const made = { start: state(), end: state() };
      isEnd[made.end] = true;
      return { index: rules.push(made) - 1, ...made };
    },
    state,
    text(from, expression, to, encoding = "text") {
      if (!expressions.isLive(expression)) return;
      edges[from].push({ kind: "text", lexeme: lexemes.start(expression, encoding), to });
    },
    call(from, rule, to) {
      edges[from].push({ kind: "call", rule, to });
    },
    skip(from, to) {
      edges[from].push({ kind: "empty", to });
    },
    finish() {
      const finishing = findFinishing();
      if (!finishing[rules[0].start]) {
        throw badGrammar(
          "no text matches this grammar",
          "its parts contradict each other, or refer to each other without end",
        );
      }
      const canTake = (edge: Edge): boolean =>
        finishing[edge.to] && (edge.kind !== "call" || finishing[rules[edge.rule].start]);
      return { rules, edges: edges.map((leaving) => leaving.filter(canTake)), isEnd };
    },
  };
}
