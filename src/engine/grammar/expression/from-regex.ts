// A regular expression as an expression over whole texts. Assertions look at what surrounds them, so every part is
// built together with what may follow it, and with whether it stands at the start of the text.

import { badGrammar } from "./bad-grammar.ts";
import type { Expression, Expressions } from "./expression.ts";
import { type Pattern, parseRegex } from "./parse-regex.ts";

/** Texts that match as a whole. */
export function wholeMatch(expressions: Expressions, source: string): Expression {
  return build(expressions, parseRegex(source), { isStart: true, rest: () => expressions.empty });
}

/** Texts in which it is found somewhere, as JSON Schema means `pattern`. */
export function foundInside(expressions: Expressions, source: string): Expression {
  const { all, any, repeat, concat, or } = expressions;
  const pattern = parseRegex(source);
  const rest = (): Expression => all;
  const later = build(expressions, pattern, { isStart: false, rest });
  return or(
    build(expressions, pattern, { isStart: true, rest }),
    concat(repeat(any, 1, Number.POSITIVE_INFINITY), later),
  );
}

interface Place {
  readonly isStart: boolean;
  /** What may follow, given whether that is still the start of the text. */
  readonly rest: (isStart: boolean) => Expression;
}

const maxUnrolled = 64;

function build(expressions: Expressions, pattern: Pattern, { isStart, rest }: Place): Expression {
  const { nothing, empty, all, any, concat, or, and, not, repeat } = expressions;
  if (!hasAssertion(pattern)) {
    const part = plain(expressions, pattern);
    const [first, later] = [isStart ? rest(true) : nothing, rest(false)];
    if (!isStart || first === later) return concat(part, later);
    const nonEmpty = and(part, repeat(any, 1, Number.POSITIVE_INFINITY));
    return or(part.nullable ? first : nothing, concat(part.nullable ? nonEmpty : part, later));
  }
  switch (pattern.kind) {
    case "start":
      return isStart ? rest(true) : nothing;
    case "end":
      return rest(isStart).nullable ? empty : nothing;
    case "look": {
      const ahead = build(expressions, pattern.item, { isStart, rest: () => all });
      return and(pattern.isNegative ? not(ahead) : ahead, rest(isStart));
    }
    case "alternatives": {
      const shared = remembered(rest);
      return or(...pattern.items.map((item) => build(expressions, item, { isStart, rest: shared })));
    }
    case "sequence": {
      const built = pattern.items.reduceRight(
        (following, item) =>
          remembered((start) => build(expressions, item, { isStart: start, rest: following })),
        remembered(rest),
      );
      return built(isStart);
    }
    case "repeat":
      return unroll(expressions, pattern, { isStart, rest });
    case "class":
      return plain(expressions, pattern);
    default:
      return pattern satisfies never;
  }
}

/** Rounds that look beyond themselves are not all alike, so each is built by itself. */
function unroll(
  expressions: Expressions,
  { item, min, max }: Extract<Pattern, { kind: "repeat" }>,
  { isStart, rest }: Place,
): Expression {
  if (max > maxUnrolled) {
    throw badGrammar(
      "an assertion inside a repetition without a small upper bound cannot be enforced",
      "move the assertion to the start or the end of the pattern, or use a negated class such as [^,]",
    );
  }
  let following = remembered(rest);
  for (let round = max; round > 0; round--) {
    const after = following;
    following = remembered((start) => {
      const again = build(expressions, item, { isStart: start, rest: after });
      return round > min ? expressions.or(rest(start), again) : again;
    });
  }
  return following(isStart);
}

function remembered(rest: Place["rest"]): Place["rest"] {
  const known: [Expression?, Expression?] = [];
  return (isStart) => (known[isStart ? 1 : 0] ??= rest(isStart));
}

function plain(expressions: Expressions, pattern: Pattern): Expression {
  const { characters, concat, or, repeat } = expressions;
  switch (pattern.kind) {
    case "class":
      return characters(pattern.points);
    case "sequence":
      return concat(...pattern.items.map((item) => plain(expressions, item)));
    case "alternatives":
      return or(...pattern.items.map((item) => plain(expressions, item)));
    case "repeat":
      return repeat(plain(expressions, pattern.item), pattern.min, pattern.max);
    case "start":
    case "end":
    case "look":
      throw badGrammar("an assertion stands where it cannot be enforced", "simplify the pattern");
    default:
      return pattern satisfies never;
  }
}

function hasAssertion(pattern: Pattern): boolean {
  switch (pattern.kind) {
    case "class":
      return false;
    case "sequence":
    case "alternatives":
      return pattern.items.some(hasAssertion);
    case "repeat":
      return hasAssertion(pattern.item);
    case "start":
    case "end":
    case "look":
      return true;
    default:
      return pattern satisfies never;
  }
}
