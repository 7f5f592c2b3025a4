// JSON numbers in a range, as expressions over their digits. Numbers are written without exponent where a bound has to
// be kept, and with at most as many digits as anybody reads back.

import { badGrammar } from "../expression/bad-grammar.ts";
import type { Automaton, Expression, Expressions } from "../expression/expression.ts";
import { wholeMatch } from "../expression/from-regex.ts";
import type { Bound, Facts } from "./facts.ts";

type NumberFacts = Pick<Facts, "isInteger" | "least" | "most" | "multiples">;

// Long enough for 64-bit integers; short enough that a model cannot write digits forever, and exponents stay finite.
const integerPattern = "(0|[1-9][0-9]{0,18})";
const fractionPattern = "(\\.[0-9]{1,20})?";
const exponentPattern = "([eE][+-]?[0-9]{1,2})?";

export function numberExpression(expressions: Expressions, facts: NumberFacts): Expression {
  const { and, or, concat, literal, automaton } = expressions;
  const { isInteger, least, most, multiples } = facts;
  const isPlain = least.length + most.length + multiples.length > 0;
  const shape = `${integerPattern}${isInteger ? "" : fractionPattern}${isInteger || isPlain ? "" : exponentPattern}`;
  const magnitude = wholeMatch(expressions, shape);
  const divided = multiples.map((step) => automaton(multiplesOf(step)));
  const within = (isNegative: boolean): Expression =>
    and(
      magnitude,
      ...divided,
      ...least.map((bound) => automaton(compared(bound, { isNegative, isLeast: true }))),
      ...most.map((bound) => automaton(compared(bound, { isNegative, isLeast: false }))),
    );
  return or(within(false), concat(literal("-"), within(true)));
}

/** Whether a value of an `enum` is in range. */
export function allowsNumber({ isInteger, least, most, multiples }: NumberFacts, value: number): boolean {
  return (
    (!isInteger || Number.isInteger(value)) &&
    least.every(({ value: bound, isExclusive }) => (isExclusive ? value > bound : value >= bound)) &&
    most.every(({ value: bound, isExclusive }) => (isExclusive ? value < bound : value <= bound)) &&
    multiples.every((step) => Number.isInteger(value / step))
  );
}

interface Side {
  /** The digits follow a minus sign. */
  readonly isNegative: boolean;
  /** The bound is the least allowed value, not the largest. */
  readonly isLeast: boolean;
}

type Order = -1 | 0 | 1;

/** Digits whose value stands in the right order to the bound. */
function compared({ value, isExclusive }: Bound, { isNegative, isLeast }: Side): Automaton {
  const wanted: Order = isLeast !== isNegative ? 1 : -1; // of the magnitude, against that of the bound
  if (value !== 0 && value < 0 !== isNegative) {
    // The whole half line is on one side of the bound, and so is zero, with either sign.
    return constant(isNegative !== isLeast);
  }
  const { whole, fraction } = decimal(Math.abs(value));
  const isAllowed = (order: Order): boolean => order === wanted || (order === 0 && !isExclusive);
  const name = `${wanted} ${isExclusive} ${whole}.${fraction}`;

  function inFraction(at: number, order: Order): Automaton {
    const reached: Order = order === 0 && at < fraction.length ? -1 : order;
    return {
      key: `compared ${name} fraction ${at} ${order}`,
      isAccepting: isAllowed(reached),
      alphabet: "0123456789",
      step: (digit) =>
        inFraction(
          Math.min(at + 1, fraction.length),
          order === 0 ? compare(digit, fraction[at] ?? "0") : order,
        ),
    };
  }

  function inWhole(count: number, order: Order): Automaton {
    const byLength = Math.sign(count - whole.length) as Order;
    const settled: Order = byLength === 0 ? order : byLength;
    const isShort = settled === 0 && fraction.length > 0;
    return {
      key: `compared ${name} whole ${count} ${order}`,
      isAccepting: count > 0 && isAllowed(isShort ? -1 : settled),
      alphabet: "0123456789.",
      step: (digit) => {
        if (digit === ".") return inFraction(0, settled);
        const next = order === 0 && count < whole.length ? compare(digit, whole[count]) : order;
        return inWhole(Math.min(count + 1, whole.length + 1), next);
      },
    };
  }

  return inWhole(0, 0);
}

const compare = (a: string, b: string): Order => Math.sign(a.charCodeAt(0) - b.charCodeAt(0)) as Order;

function constant(isAccepting: boolean): Automaton {
  return {
    key: `constant ${isAccepting}`,
    isAccepting,
    alphabet: "0123456789.",
    step: () => constant(isAccepting),
  };
}

/** More remainders than this would be too many states. */
const maxDivisor = 10_000;

/** Digits of a multiple of `step`, with no more decimals than it has. */
function multiplesOf(step: number): Automaton {
  if (!(step > 0)) throw badGrammar(`the schema has ${step} for multipleOf`, "it takes a number above 0");
  const { whole, fraction } = decimal(step);
  const decimals = fraction.length;
  const divisor = Number(whole + fraction);
  if (divisor > maxDivisor) {
    throw badGrammar(
      `multiples of ${step} cannot be enforced`,
      `multipleOf works up to ${maxDivisor}, counted in units of its last decimal`,
    );
  }
  const state = (remainder: number, places: number): Automaton => ({
    key: `multiple ${step} ${remainder} ${places}`,
    isAccepting: (remainder * 10 ** (decimals - Math.max(places, 0))) % divisor === 0,
    alphabet: "0123456789.",
    step: (digit) => {
      if (digit === ".") return decimals === 0 ? undefined : state(remainder, 0);
      if (places === decimals && places >= 0) return undefined;
      return state((remainder * 10 + Number(digit)) % divisor, places < 0 ? -1 : places + 1);
    },
  });
  return state(0, -1);
}

/** Digits before and after the point of a number of at least 0, without exponent. */
function decimal(value: number): { readonly whole: string; readonly fraction: string } {
  const [mantissa, exponent = "0"] = String(value).split("e");
  const [before, after = ""] = mantissa.split(".");
  const shift = Number(exponent);
  if (Math.abs(shift) > 400) throw badGrammar(`the schema has the bound ${value}`, "use a smaller number");
  const digits = before + after;
  const point = before.length + shift;
  const padded = point <= 0 ? "0".repeat(1 - point) + digits : digits.padEnd(point, "0");
  const at = Math.max(point, 1);
  return {
    whole: padded.slice(0, at).replace(/^0+(?=\d)/, ""),
    fraction: padded.slice(at).replace(/0+$/, ""),
  };
}
