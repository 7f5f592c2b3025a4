// `oneOf` is valid for exactly one branch, and a network can follow only "at least one". So the branches have to exclude
// each other by something that can be seen in the schema; where that cannot be shown, the schema is refused.

import type { Expression } from "../expression/expression.ts";
import { type Alternatives, canonical, expand, type Facts, factsOf, type JsonType, typeOf } from "./facts.ts";
import { numberExpression } from "./numbers.ts";
import { type Schema, unsupported } from "./schema.ts";
import { stringExpression } from "./strings.ts";
import type { Values } from "./values.ts";

/** Nested properties are compared this deep. */
const maxDepth = 4;
/** Every branch is compared with every other. */
const maxBranches = 128;

export function checkExclusive(branches: readonly Schema[], values: Values, context: Alternatives): void {
  if (branches.length > maxBranches)
    throw unsupported(`oneOf with more than ${maxBranches} branches`, "use anyOf, or an enum");
  for (let i = 0; i < branches.length; i++) {
    for (let j = i + 1; j < branches.length; j++) {
      if (areExclusive([branches[i]], [branches[j]], { values, context, depth: 0 })) continue;
      throw unsupported(
        "oneOf",
        "use anyOf, or give its branches a required property with different constants",
      );
    }
  }
}

interface Comparison {
  readonly values: Values;
  readonly context: Alternatives;
  readonly depth: number;
}

/** Whether no value satisfies both; false also where that is not known. */
function areExclusive(a: readonly Schema[], b: readonly Schema[], comparison: Comparison): boolean {
  if (comparison.depth > maxDepth) return false;
  const [left, right] = [a, b].map((schemas) => expand(schemas, comparison.context).map(factsOf));
  return left.every((one) => right.every((other) => exclude(one, other, comparison)));
}

function exclude(a: Facts, b: Facts, comparison: Comparison): boolean {
  if (a.values !== undefined && b.values !== undefined) {
    const others = new Set(b.values.map(canonical));
    return !a.values.some((value) => others.has(canonical(value)));
  }
  const [typesA, typesB] = [a, b].map(typesIn);
  return [...typesA]
    .filter((type) => typesB.has(type))
    .every((type) => excludeType(a, b, { ...comparison, type }));
}

function typesIn({ types, values }: Facts): ReadonlySet<JsonType> {
  return values === undefined ? types : new Set(values.map(typeOf).filter((type) => types.has(type)));
}

function excludeType(a: Facts, b: Facts, comparison: Comparison & { readonly type: JsonType }): boolean {
  const { values, type } = comparison;
  const { expressions } = values.network;
  const isApart = (left: Expression, right: Expression): boolean =>
    !expressions.isLive(expressions.and(left, right));
  switch (type) {
    case "number":
      return isApart(numberExpression(expressions, a), numberExpression(expressions, b));
    case "string":
      return isApart(stringExpression(expressions, a), stringExpression(expressions, b));
    case "object":
      return excludeObjects(a, b, comparison) || excludeObjects(b, a, comparison);
    case "array":
      return a.items.min > b.items.max || b.items.min > a.items.max;
    case "null":
    case "boolean":
      return false;
    default:
      return type satisfies never;
  }
}

/** By a property that `a` requires: `b` forbids it, or requires it with other values. */
function excludeObjects(a: Facts, b: Facts, comparison: Comparison): boolean {
  return [...a.required].some((name) => {
    const [mine, theirs] = [a, b].map(({ objects }) =>
      objects.flatMap(({ declared, patterns, rest }): Schema[] => {
        const own = declared.get(name);
        if (own !== undefined) return [own];
        return patterns.size === 0 ? [rest] : []; // a pattern may fit, so nothing is known
      }),
    );
    if (theirs.includes(false)) return true;
    if (!b.required.has(name) || mine.length === 0 || theirs.length === 0) return false;
    return areExclusive(mine, theirs, { ...comparison, depth: comparison.depth + 1 });
  });
}
