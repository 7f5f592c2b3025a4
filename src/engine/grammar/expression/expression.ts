// Regular expressions over code points that are run by derivatives (Brzozowski 1964; Owens, Reppy and Turon 2009): the
// derivative of an expression by a character is the expression of what may follow it. So intersection and complement
// cost nothing extra, which is what JSON Schema needs: a pattern and a length, any key but the declared ones.
//
// Equal expressions are one object, and derivatives are kept with it: in effect a state machine that is built as far as
// texts have come. Knows characters, never bytes or tokens.

import { allCodePoints, type CodePoints, intersection, union } from "./code-points.ts";
import type { Work } from "./work.ts";

export type Expression = {
  readonly id: number;
  /** Whether the empty text matches. */
  readonly nullable: boolean;
  /** Some text matches, by construction; otherwise it takes a search to know. */
  readonly certain: boolean;
  /** First code points of the ranges inside which every character has the same derivative. */
  breaks?: readonly number[];
  derivatives?: (Expression | undefined)[] | undefined;
  isLive?: boolean;
} & Shape;

type Shape =
  | { readonly kind: "nothing" }
  | { readonly kind: "empty" }
  | { readonly kind: "class"; readonly points: CodePoints }
  | { readonly kind: "concat"; readonly first: Expression; readonly rest: Expression }
  | { readonly kind: "or" | "and"; readonly items: readonly Expression[] }
  | { readonly kind: "not"; readonly item: Expression }
  | { readonly kind: "repeat"; readonly item: Expression; readonly min: number; readonly max: number }
  | { readonly kind: "automaton"; readonly state: Automaton };

/** A state of a hand-written machine over characters, for what is awkward as an expression. */
export interface Automaton {
  /** The same for equal states, and for no others. */
  readonly key: string;
  readonly isAccepting: boolean;
  /** `undefined`: no text goes on like this. */
  step(character: string): Automaton | undefined;
  /** The characters it can tell apart; all others are refused. */
  readonly alphabet: string;
}

export interface Expressions {
  readonly nothing: Expression;
  readonly empty: Expression;
  /** Any character. */
  readonly any: Expression;
  /** Any text. */
  readonly all: Expression;
  characters(points: CodePoints): Expression;
  literal(text: string): Expression;
  /** One of these texts. */
  oneOf(texts: readonly string[]): Expression;
  concat(...parts: readonly Expression[]): Expression;
  or(...items: readonly Expression[]): Expression;
  and(...items: readonly Expression[]): Expression;
  not(item: Expression): Expression;
  repeat(item: Expression, min: number, max: number): Expression;
  automaton(state: Automaton): Expression;
  /** First code points of the ranges inside which every character has the same derivative. */
  breaks(expression: Expression): readonly number[];
  derive(expression: Expression, codePoint: number): Expression;
  /** Whether any text matches. What is too expensive to find out counts as no. */
  isLive(expression: Expression): boolean;
  /** Whether some text that matches begins with a character of this range. */
  canStart(expression: Expression, first: number, last: number): boolean;
  matches(expression: Expression, text: string): boolean;
  /** Forgets what was derived, once it has become much: a bound on memory. What is still in use goes on to work. */
  sweep(): void;
}

const maxKept = 40_000;
/** States that a search for a matching text looks at. */
const maxSearched = 20_000;

export function createExpressions(work: Work): Expressions {
  const known = new Map<string, Expression>();
  let nextId = 0;

  function intern(key: string, shape: Shape, nullable: boolean, certain: boolean): Expression {
    const existing = known.get(key);
    if (existing !== undefined) return existing;
    work.spend(1);
    const made: Expression = { id: nextId++, nullable, certain: certain || nullable, ...shape };
    known.set(key, made);
    return made;
  }

  const nothing = intern("nothing", { kind: "nothing" }, false, false);
  const empty = intern("empty", { kind: "empty" }, true, true);
  const any = characters(allCodePoints);
  const all = repeat(any, 0, Number.POSITIVE_INFINITY);

  function characters(points: CodePoints): Expression {
    if (points.length === 0) return nothing;
    return intern(`class ${points.join()}`, { kind: "class", points }, false, true);
  }

  function literal(text: string): Expression {
    const points = Array.from(text, (character) => character.codePointAt(0) as number);
    return points.reduceRight((rest, point) => concat(characters([point, point]), rest), empty);
  }

  function oneOf(texts: readonly string[]): Expression {
    return oneOfSorted([...new Set(texts)].map((text) => Array.from(text)).sort(byCharacters), 0);
  }

  /** With common beginnings taken out, so that a thousand choices are not a thousand alternatives. */
  function oneOfSorted(texts: readonly (readonly string[])[], start: number): Expression {
    if (texts.length === 1) return literal(texts[0].slice(start).join(""));
    const alternatives: Expression[] = [];
    for (let from = 0; from < texts.length; ) {
      const character = texts[from][start];
      let to = from + 1;
      while (to < texts.length && texts[to][start] === character) to++;
      const rest = (): Expression => oneOfSorted(texts.slice(from, to), start + 1);
      alternatives.push(character === undefined ? empty : concat(literal(character), rest()));
      from = to;
    }
    return or(...alternatives);
  }

  function concat(...parts: readonly Expression[]): Expression {
    return parts.reduceRight((rest, first): Expression => {
      if (first.kind === "nothing" || rest.kind === "nothing") return nothing;
      if (first.kind === "empty") return rest;
      if (rest.kind === "empty") return first;
      if (first.kind === "concat") return concat(first.first, concat(first.rest, rest));
      const nullable = first.nullable && rest.nullable;
      const key = `concat ${first.id} ${rest.id}`;
      return intern(key, { kind: "concat", first, rest }, nullable, first.certain && rest.certain);
    }, empty);
  }

  function or(...items: readonly Expression[]): Expression {
    const parts = new Set<Expression>();
    const classes: CodePoints[] = [];
    for (const item of flat("or", items)) {
      if (item === all) return all;
      if (item.kind === "class") classes.push(item.points);
      else if (item.kind !== "nothing") parts.add(item);
    }
    if (classes.length > 0) parts.add(characters(classes.length === 1 ? classes[0] : union(...classes)));
    if (parts.size === 0) return nothing;
    const sorted = [...parts].sort((a, b) => a.id - b.id);
    if (sorted.length === 1) return sorted[0];
    work.spend(sorted.length);
    const nullable = sorted.some((item) => item.nullable);
    const certain = sorted.some((item) => item.certain);
    return intern(
      `or ${sorted.map(({ id }) => id).join()}`,
      { kind: "or", items: sorted },
      nullable,
      certain,
    );
  }

  function and(...items: readonly Expression[]): Expression {
    const parts = new Set<Expression>();
    let points: CodePoints | undefined;
    for (const item of flat("and", items)) {
      if (item.kind === "nothing") return nothing;
      if (item.kind === "class")
        points = points === undefined ? item.points : intersection(points, item.points);
      else if (item !== all) parts.add(item);
    }
    if (points !== undefined) {
      const single = characters(points);
      if (single === nothing) return nothing;
      parts.add(single);
    }
    if (parts.size === 0) return all;
    const sorted = [...parts].sort((a, b) => a.id - b.id);
    if (sorted.length === 1) return sorted[0];
    const nullable = sorted.every((item) => item.nullable);
    if (parts.has(empty)) return nullable ? empty : nothing;
    work.spend(sorted.length);
    return intern(
      `and ${sorted.map(({ id }) => id).join()}`,
      { kind: "and", items: sorted },
      nullable,
      false,
    );
  }

  function not(item: Expression): Expression {
    if (item.kind === "not") return item.item;
    if (item.kind === "nothing") return all;
    if (item === all) return nothing;
    return intern(`not ${item.id}`, { kind: "not", item }, !item.nullable, false);
  }

  function repeat(item: Expression, min: number, max: number): Expression {
    if (max === 0 || item.kind === "empty") return empty;
    if (item.kind === "nothing") return min === 0 ? empty : nothing;
    if (min === 1 && max === 1) return item;
    const least = item.nullable ? 0 : min; // the same texts, and derivatives may then take any round as the first
    const shape: Shape = { kind: "repeat", item, min: least, max };
    return intern(`repeat ${item.id} ${least} ${max}`, shape, least === 0, item.certain);
  }

  function automaton(state: Automaton): Expression {
    return intern(`automaton ${state.key}`, { kind: "automaton", state }, state.isAccepting, false);
  }

  function breaksOf(expression: Expression): readonly number[] {
    return (expression.breaks ??= computeBreaks(expression));
  }

  function computeBreaks(expression: Expression): readonly number[] {
    switch (expression.kind) {
      case "nothing":
      case "empty":
        return [0];
      case "class":
        return sortedBreaks(expression.points.map((point, i) => (i % 2 === 0 ? point : point + 1)));
      case "concat": {
        const { first, rest } = expression;
        return first.nullable ? sortedBreaks([...breaksOf(first), ...breaksOf(rest)]) : breaksOf(first);
      }
      case "or":
      case "and":
        work.spend(expression.items.length);
        return sortedBreaks(expression.items.flatMap(breaksOf));
      case "not":
      case "repeat":
        return breaksOf(expression.item);
      case "automaton": {
        const points = Array.from(expression.state.alphabet, (character) => character.codePointAt(0)!);
        return sortedBreaks(points.flatMap((point) => [point, point + 1]));
      }
      default:
        return expression satisfies never;
    }
  }

  function derive(expression: Expression, codePoint: number): Expression {
    const index = rangeOf(breaksOf(expression), codePoint);
    const derivatives = (expression.derivatives ??= []);
    const derived = derivatives[index];
    if (derived !== undefined) return derived;
    work.spend(1);
    return (derivatives[index] = computeDerivative(expression, codePoint));
  }

  function computeDerivative(expression: Expression, point: number): Expression {
    switch (expression.kind) {
      case "nothing":
      case "empty":
        return nothing;
      case "class":
        return contains(expression.points, point) ? empty : nothing;
      case "concat": {
        const { first, rest } = expression;
        const within = concat(derive(first, point), rest);
        return first.nullable ? or(within, derive(rest, point)) : within;
      }
      case "or":
        return or(...expression.items.map((item) => derive(item, point)));
      case "and":
        return and(...expression.items.map((item) => derive(item, point)));
      case "not":
        return not(derive(expression.item, point));
      case "repeat": {
        const { item, min, max } = expression;
        const rounds = repeat(item, Math.max(0, min - 1), max - 1);
        return concat(derive(item, point), rounds);
      }
      case "automaton": {
        const character = String.fromCodePoint(point);
        const { state } = expression;
        const next = state.alphabet.includes(character) ? state.step(character) : undefined;
        return next === undefined ? nothing : automaton(next);
      }
      default:
        return expression satisfies never;
    }
  }

  /** Depth first, so that a long text is found as soon as a short one. */
  function isLive(expression: Expression): boolean {
    if (expression.certain) return true;
    if (expression.kind === "nothing") return false;
    if (expression.isLive !== undefined) return expression.isLive;
    const path: { readonly node: Expression; next: number }[] = [{ node: expression, next: 0 }];
    const seen = new Set([expression]);
    while (path.length > 0 && seen.size < maxSearched) {
      const top = path[path.length - 1];
      const breaks = breaksOf(top.node);
      if (top.next === breaks.length) {
        path.pop();
        continue;
      }
      const derived = derive(top.node, scalarFrom(breaks[top.next++]));
      if (derived.certain || derived.isLive) {
        for (const { node } of path) node.isLive = true;
        return true;
      }
      if (derived.kind === "nothing" || derived.isLive === false || seen.has(derived)) continue;
      seen.add(derived);
      path.push({ node: derived, next: 0 });
    }
    if (path.length === 0) for (const node of seen) node.isLive = false;
    return (expression.isLive = false);
  }

  function canStart(expression: Expression, first: number, last: number): boolean {
    const breaks = breaksOf(expression);
    for (let index = rangeOf(breaks, first); index < breaks.length && breaks[index] <= last; index++) {
      const start = Math.max(first, breaks[index]);
      const end = Math.min(last, (breaks[index + 1] ?? 0x110000) - 1);
      const point = scalarFrom(start);
      if (point <= end && isLive(derive(expression, point))) return true;
    }
    return false;
  }

  return {
    nothing,
    empty,
    any,
    all,
    characters,
    literal,
    oneOf,
    concat,
    or,
    and,
    not,
    repeat,
    automaton,
    breaks: breaksOf,
    derive,
    isLive,
    canStart,
    matches(expression, text) {
      let state = expression;
      for (const character of text) state = derive(state, character.codePointAt(0) as number);
      return state.nullable;
    },
    sweep() {
      if (known.size < maxKept) return;
      for (const [key, expression] of known) {
        expression.derivatives = undefined;
        if (expression !== all && expression !== any && expression !== nothing && expression !== empty)
          known.delete(key);
      }
    },
  };
}

function flat(kind: "or" | "and", items: readonly Expression[]): Expression[] {
  return items.flatMap((item) => (item.kind === kind ? item.items : item));
}

function byCharacters(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return a.length - b.length;
}

/** Surrogates begin no text; the ranges around them are one. */
const scalarFrom = (point: number): number => (point >= 0xd800 && point <= 0xdfff ? 0xe000 : point);

function contains(points: CodePoints, point: number): boolean {
  for (let i = 0; i < points.length; i += 2) if (point >= points[i] && point <= points[i + 1]) return true;
  return false;
}

function sortedBreaks(breaks: readonly number[]): readonly number[] {
  return [...new Set([0, ...breaks])].filter((point) => point <= 0x10ffff).sort((a, b) => a - b);
}

/** Index of the range that the code point is in. */
function rangeOf(breaks: readonly number[], point: number): number {
  let low = 0;
  let high = breaks.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (breaks[middle] <= point) low = middle;
    else high = middle;
  }
  return low;
}
