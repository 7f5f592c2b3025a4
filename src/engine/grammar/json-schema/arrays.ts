// Arrays as a network: a state for every item as far as its place or the number of items matters, then a loop.

import { badGrammar } from "../expression/bad-grammar.ts";
import type { Facts } from "./facts.ts";
import type { Schema } from "./schema.ts";
import type { Place, Values } from "./values.ts";

const maxCounted = 10_000;

export function addArray({ network, space, rule }: Values, facts: Facts, { from, to }: Place): void {
  const { literal, concat } = network.expressions;
  const { arrays, items } = facts;
  const prefixLength = Math.max(0, ...arrays.map(({ prefix }) => prefix.length));
  const counted = Math.max(1, prefixLength, items.min, Number.isFinite(items.max) ? items.max : 0);
  if (counted > maxCounted) {
    throw badGrammar(
      `an array of up to ${counted} counted items cannot be enforced`,
      `use at most ${maxCounted} for minItems and maxItems`,
    );
  }
  const schemasAt = (index: number): Schema[] => arrays.map(({ prefix, rest }) => prefix[index] ?? rest);

  let current = network.state();
  network.text(from, literal("["), current);
  for (let index = 0; ; index++) {
    if (index >= items.min) network.text(current, concat(space, literal("]")), to);
    if (index >= items.max) return;
    const [value, next] = [network.state(), index === counted ? current : network.state()];
    network.text(current, index === 0 ? space : concat(literal(","), space), value);
    network.call(value, rule(schemasAt(index)), next);
    if (index === counted) return;
    current = next;
  }
}
