// What is said about strings, as an expression over their characters.

import type { Expression, Expressions } from "../expression/expression.ts";
import { foundInside, wholeMatch } from "../expression/from-regex.ts";
import type { Facts } from "./facts.ts";
import { formatPattern } from "./formats.ts";

export function stringExpression(expressions: Expressions, facts: Facts): Expression {
  const { patterns, formats, length } = facts;
  const written = formats.map(formatPattern).filter((pattern) => pattern !== undefined);
  const shape = expressions.and(
    expressions.repeat(expressions.any, length.min, length.max),
    ...patterns.map((pattern) => foundInside(expressions, pattern)),
    ...written.map((pattern) => wholeMatch(expressions, pattern)),
  );
  if (length.min > length.max) return expressions.nothing;
  if (facts.values === undefined) return shape;
  const texts = facts.values.filter((value) => typeof value === "string");
  return expressions.oneOf(texts.filter((text) => expressions.matches(shape, text)));
}
