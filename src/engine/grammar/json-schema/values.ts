// A JSON Schema as a network: a rule for every set of schemas that some value has to satisfy together. Whatever is
// written is valid; not all that is valid can be written: properties come in the schema's order, white space is what
// people use, numbers have ordinary lengths.

import { badGrammar } from "../expression/bad-grammar.ts";
import type { Expression } from "../expression/expression.ts";
import { wholeMatch } from "../expression/from-regex.ts";
import type { NetworkBuilder } from "../network.ts";
import { addArray } from "./arrays.ts";
import { checkExclusive } from "./exclusive.ts";
import { type Alternatives, expand, type Facts, factsOf, type JsonType, typeOf } from "./facts.ts";
import { allowsNumber, numberExpression } from "./numbers.ts";
import { addObject } from "./objects.ts";
import type { Schema } from "./schema.ts";
import { stringExpression } from "./strings.ts";

/** Between two states of one rule. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

/** What the parts of a schema share while its network is made. */
export interface Values {
  readonly network: NetworkBuilder;
  /** White space between the parts of an object or an array. */
  readonly space: Expression;
  /** The rule for values that satisfy all of these. */
  rule(schemas: readonly Schema[]): number;
  /** The texts that satisfy all of these, if they are strings. */
  textExpression(schemas: readonly Schema[]): Expression;
}

// One space, or a new line and its indentation: what models write, and not endless.
const spacePattern = " ?|\\n(\\t{0,16}| {0,64})";
const maxRules = 10_000;

export function addSchema(network: NetworkBuilder, root: Schema): void {
  const { expressions } = network;
  const rules = new Map<string, number>();
  const pending: { readonly schemas: readonly Schema[]; readonly place: Place }[] = [];
  const idOf = numbering();
  const context: Alternatives = {
    root,
    checkExclusive: (branches) => checkExclusive(branches, values, context),
  };
  const values: Values = {
    network,
    space: wholeMatch(expressions, spacePattern),
    rule(schemas) {
      const key = [...new Set(schemas.filter((schema) => schema !== true).map(idOf))].sort().join();
      const known = rules.get(key);
      if (known !== undefined) return known;
      if (rules.size >= maxRules) throw badGrammar("the schema has too many parts", "make it smaller");
      const { index, start, end } = network.rule();
      rules.set(key, index);
      pending.push({ schemas, place: { from: start, to: end } });
      return index;
    },
    textExpression(schemas) {
      const alternatives = expand(schemas, context).map(factsOf);
      const texts = alternatives.filter(({ types }) => types.has("string"));
      return expressions.or(...texts.map((facts) => stringExpression(expressions, facts)));
    },
  };
  values.rule([root]);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const alternative of expand(next.schemas, context)) {
      addAlternative(values, factsOf(alternative), next.place);
    }
  }
}

/** Schema objects by identity. */
function numbering(): (schema: Schema) => string {
  const ids = new Map<Schema, string>();
  return (schema) => {
    const id = ids.get(schema) ?? String(ids.size);
    ids.set(schema, id);
    return id;
  };
}

function addAlternative(values: Values, facts: Facts, place: Place): void {
  const { types } = facts;
  if (facts.values !== undefined) addValues(values, facts, place);
  else for (const type of types) addType(values, { ...facts, types: new Set([type]) }, { type, place });
}

function addType(values: Values, facts: Facts, { type, place }: { type: JsonType; place: Place }): void {
  const { network } = values;
  const { expressions } = network;
  const { from, to } = place;
  switch (type) {
    case "null":
      network.text(from, expressions.literal("null"), to);
      return;
    case "boolean":
      network.text(from, expressions.oneOf(["true", "false"]), to);
      return;
    case "number":
      network.text(from, numberExpression(expressions, facts), to);
      return;
    case "string":
      addString(values, stringExpression(expressions, facts), place);
      return;
    case "array":
      addArray(values, facts, place);
      return;
    case "object":
      addObject(values, facts, place);
      return;
    default:
      (type) satisfies never;
  }
}

function addString({ network }: Values, inside: Expression, { from, to }: Place): void {
  const { literal } = network.expressions;
  const [opened, closing] = [network.state(), network.state()];
  network.text(from, literal('"'), opened);
  network.text(opened, inside, closing, "json");
  network.text(closing, literal('"'), to);
}

/** An `enum`, as far as what else is said allows its values, each spelled in one way only. */
function addValues({ network }: Values, facts: Facts, { from, to }: Place): void {
  const { expressions } = network;
  const { values: listed = [], types } = facts;
  const strings = stringExpression(expressions, { ...facts, values: undefined });
  const fitting = listed.filter((value) => {
    const type = typeOf(value);
    if (!types.has(type)) return false;
    if (type === "number") return allowsNumber(facts, value as number);
    if (type === "string") return expressions.matches(strings, value as string);
    if (!isRestricted(facts, type)) return true;
    throw badGrammar(
      `an enum of ${type}s beside other keywords for ${type}s cannot be enforced`,
      "list only the values that fit, and leave the other keywords out",
    );
  });
  network.text(from, expressions.oneOf(fitting.map((value) => JSON.stringify(value))), to);
}

function isRestricted(
  { objects, required, names, properties, arrays, items }: Facts,
  type: JsonType,
): boolean {
  const isBounded = ({ min, max }: { min: number; max: number }): boolean =>
    min > 0 || max < Number.POSITIVE_INFINITY;
  if (type === "object") return objects.length + required.size + names.length > 0 || isBounded(properties);
  return type === "array" && (arrays.length > 0 || isBounded(items));
}
