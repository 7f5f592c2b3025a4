// Objects as a network: declared properties in the order of the schema, then others, each pair once.

import { badGrammar } from "../expression/bad-grammar.ts";
import type { Expression } from "../expression/expression.ts";
import { foundInside } from "../expression/from-regex.ts";
import type { Encoding } from "../lexeme.ts";
import type { Facts } from "./facts.ts";
import type { Schema } from "./schema.ts";
import type { Place, Values } from "./values.ts";

/** Properties that share their schemas, and that are no declared ones. */
interface Others {
  readonly names: Expression;
  readonly value: readonly Schema[];
}

interface Pair extends Others {
  readonly encoding: Encoding;
}

const maxPatterns = 4;

export function addObject(values: Values, facts: Facts, { from, to }: Place): void {
  const { network, space } = values;
  const { expressions } = network;
  const { literal, concat, repeat } = expressions;
  const names = [
    ...new Set([...facts.objects.flatMap(({ declared }) => [...declared.keys()]), ...facts.required]),
  ];
  const nameRule = values.textExpression(facts.names);
  const others = otherProperties(values, facts, { names, nameRule });
  const { min, max } = facts.properties;
  checkCount(facts, others.length > 0);

  // A state for every property and every number of pairs so far, as far as the number matters.
  const cap = Math.max(1, min, Number.isFinite(max) ? max : 0);
  const rows = new Map<string, number>();
  const at = (index: number, count: number): number => {
    const key = `${index} ${Math.min(count, cap)}`;
    let state = rows.get(key);
    if (state === undefined) rows.set(key, (state = network.state()));
    return state;
  };
  const addPair = (index: number, count: number, pair: Pair, next: number): void => {
    if (count >= max) return;
    const [key, colon, value] = [network.state(), network.state(), network.state()];
    const comma = count === 0 ? space : concat(literal(","), space);
    network.text(at(index, count), concat(comma, literal('"')), key);
    network.text(key, pair.names, colon, pair.encoding);
    network.text(colon, concat(literal('":'), repeat(literal(" "), 0, 1)), value);
    network.call(value, values.rule(pair.value), at(next, count + 1));
  };

  network.text(from, literal("{"), at(0, 0));
  for (const [index, name] of names.entries()) {
    const value = schemasFor(values, facts, name);
    const isPossible = value !== undefined && expressions.matches(nameRule, name);
    for (let count = 0; count <= Math.min(index, cap); count++) {
      // Spelled in one way only: escapes would be valid, and nobody wants them.
      const names = literal(JSON.stringify(name).slice(1, -1));
      if (isPossible) addPair(index, count, { names, value, encoding: "text" }, index + 1);
      if (!facts.required.has(name)) network.skip(at(index, count), at(index + 1, count));
    }
  }
  for (let count = 0; count <= cap; count++) {
    if (others.length > 0)
      for (const other of others) addPair(names.length, count, { ...other, encoding: "json" }, names.length);
    if (count >= min) network.text(at(names.length, count), concat(space, literal("}")), to);
  }
}

/** Other properties may be written twice, and then count once. */
function checkCount({ properties, required }: Facts, hasOthers: boolean): void {
  if (!hasOthers || properties.min <= Math.max(1, required.size)) return;
  throw badGrammar(
    `minProperties ${properties.min} cannot be enforced for properties that are not declared`,
    "list the properties, require them, or set additionalProperties to false",
  );
}

/** Everything that the value of this property has to be; `undefined` where it must not be there. */
function schemasFor(values: Values, { objects }: Facts, name: string): Schema[] | undefined {
  const { expressions } = values.network;
  const schemas = objects.flatMap(({ declared, patterns, rest }) => {
    const own = declared.get(name);
    const matching = [...patterns].filter(([pattern]) =>
      expressions.matches(foundInside(expressions, pattern), name),
    );
    const fitting = [...(own === undefined ? [] : [own]), ...matching.map(([, schema]) => schema)];
    return fitting.length > 0 ? fitting : [rest];
  });
  return schemas.includes(false) ? undefined : schemas;
}

/** By which patterns their names match: each set of patterns gives them other schemas. */
function otherProperties(
  { network }: Values,
  { objects }: Facts,
  { names, nameRule }: { names: readonly string[]; nameRule: Expression },
): Others[] {
  const { expressions } = network;
  const patterns = [...new Set(objects.flatMap((object) => [...object.patterns.keys()]))];
  if (patterns.length > maxPatterns) {
    throw badGrammar(
      `${patterns.length} patterns of properties at one place cannot be enforced`,
      `use at most ${maxPatterns}`,
    );
  }
  const undeclared = expressions.and(nameRule, expressions.not(expressions.oneOf(names)));
  const groups = Array.from({ length: 2 ** patterns.length }, (_, chosen): Others | undefined => {
    const isChosen = (pattern: string): boolean => ((chosen >> patterns.indexOf(pattern)) & 1) === 1;
    const value = objects.flatMap((object): Schema[] => {
      const matching = [...object.patterns].filter(([pattern]) => isChosen(pattern));
      return matching.length > 0 ? matching.map(([, schema]) => schema) : [object.rest];
    });
    const conditions = patterns.map((pattern) => {
      const found = foundInside(expressions, pattern);
      return isChosen(pattern) ? found : expressions.not(found);
    });
    const fitting = expressions.and(undeclared, ...conditions);
    return value.includes(false) || !expressions.isLive(fitting) ? undefined : { names: fitting, value };
  });
  return groups.filter((group) => group !== undefined);
}
