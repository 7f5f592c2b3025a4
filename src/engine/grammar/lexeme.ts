// A stretch of text, byte by byte: the expression says which characters may come, the encoding how they are spelled.
// `text` is plain UTF-8; `json` is the inside of a JSON string, where a character may also be an escape. Every state can
// still become a text that matches, even in the middle of a character or of an escape: tokens end anywhere.

import type { ByteClasses, ByteClassTables } from "./byte-classes.ts";
import type { Expression, Expressions } from "./expression/expression.ts";

export type Encoding = "text" | "json";

/** What has been read of the current character. */
type Partial =
  /** `count` bytes of UTF-8 are to come, which fill the low bits of `base`; below `least` it would be overlong. */
  | { readonly kind: "utf8"; readonly base: number; readonly count: number; readonly least: number }
  /** `count` bytes of UTF-8 are to come, and whichever they are, what follows is what follows `like`. */
  | { readonly kind: "rest"; readonly like: number; readonly count: number }
  /** A backslash. */
  | { readonly kind: "escape" }
  /** `\u` and so many digits; after a high surrogate, of its other half. */
  | {
      readonly kind: "hex";
      readonly value: number;
      readonly digits: number;
      readonly high: number | undefined;
    }
  /** A high surrogate, and perhaps the backslash of the other half. */
  | { readonly kind: "pair"; readonly high: number; readonly hasBackslash: boolean };

type Utf8Partial = Extract<Partial, { kind: "utf8" }>;

export interface Lexeme {
  readonly id: number;
  /** It may end here. */
  readonly accepts: boolean;
  /** It may go on. */
  readonly continues: boolean;
  /**
   * So many characters that are no escape, quote or control character may follow, whichever they are: by this, most of
   * a vocabulary is known to fit a string without looking at it.
   */
  readonly plainRun: number;
  readonly expression: Expression;
  readonly encoding: Encoding;
  readonly partial: Partial | undefined;
  readonly classes: ByteClasses;
  /** By class of bytes. */
  next: (Lexeme | null | undefined)[] | undefined;
}

export interface Lexemes {
  start(expression: Expression, encoding: Encoding): Lexeme;
  /** `undefined`: no text goes on with this byte. */
  step(lexeme: Lexeme, byte: number): Lexeme | undefined;
  /** Forgets what was derived; what is still in use goes on to work. */
  sweep(): void;
}

const maxPoint = 0x10ffff;
const backslash = 0x5c;
const quote = 0x22;
/** By the letter after the backslash. */
const shortEscapes = new Map(
  Object.entries({ '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" }).map(
    ([letter, character]) => [letter.charCodeAt(0), character.charCodeAt(0)],
  ),
);

export function createLexemes(expressions: Expressions, tables: ByteClassTables): Lexemes {
  const known = new Map<string, Lexeme>();
  const wholeClasses = { text: new WeakMap<object, ByteClasses>(), json: new WeakMap<object, ByteClasses>() };
  const restClasses = tables.from((byte) => (byte >= 0x80 && byte <= 0xbf ? 1 : 0));
  const singleClasses = tables.from((byte) => byte);
  let nextId = 0;

  function lexeme(expression: Expression, encoding: Encoding, partial?: Partial): Lexeme {
    const key = `${expression.id} ${encoding} ${partial === undefined ? "" : Object.values(partial).join()}`;
    let made = known.get(key);
    if (made === undefined) {
      const isWhole = partial === undefined;
      const accepts = isWhole && expression.nullable;
      const continues = !isWhole || expressions.canStart(expression, 0, maxPoint);
      const plainRun = isWhole && encoding === "json" ? plainRunOf(expression) : 0;
      made = {
        id: nextId++,
        accepts,
        continues,
        plainRun,
        expression,
        encoding,
        partial,
        classes: classesOf(expression, encoding, partial),
        next: undefined,
      };
      known.set(key, made);
    }
    return made;
  }

  function classesOf(expression: Expression, encoding: Encoding, partial: Partial | undefined): ByteClasses {
    if (partial?.kind === "rest") return restClasses;
    if (partial !== undefined) return singleClasses;
    const breaks = expressions.breaks(expression);
    const known = wholeClasses[encoding].get(breaks);
    if (known !== undefined) return known;
    const ascii = breaks.filter((point) => point < 0x80);
    const made = tables.from((byte) => {
      if (byte >= 0x80) return byte;
      if (encoding === "json" && (byte < 0x20 || byte === quote || byte === backslash)) return byte;
      return -ascii.findLastIndex((point) => point <= byte) - 1;
    });
    wholeClasses[encoding].set(breaks, made);
    return made;
  }

  function plainRunOf(expression: Expression): number {
    if (expression === expressions.all) return Number.POSITIVE_INFINITY;
    if (expression.kind === "repeat" && expression.item === expressions.any) return expression.max;
    // Whatever follows, it can still become longer than every text that is excluded.
    const isAllBut = expression.kind === "not" && isBounded(expression.item);
    return isAllBut ? Number.POSITIVE_INFINITY : 0;
  }

  function whole(expression: Expression, encoding: Encoding, point: number): Lexeme | undefined {
    const derived = expressions.derive(expression, point);
    return expressions.isLive(derived) ? lexeme(derived, encoding) : undefined;
  }

  function part({ expression, encoding }: Lexeme, partial: Partial): Lexeme | undefined {
    const isPossible = rangesOf(partial).some(([first, last]) =>
      expressions.canStart(expression, first, last),
    );
    return isPossible ? lexeme(expression, encoding, partial) : undefined;
  }

  function computeStep(from: Lexeme, byte: number): Lexeme | undefined {
    const { partial, expression, encoding } = from;
    switch (partial?.kind) {
      case undefined:
        if (encoding === "json" && byte === backslash) return part(from, { kind: "escape" });
        if (encoding === "json" && (byte < 0x20 || byte === quote)) return undefined;
        return byte < 0x80 ? whole(expression, encoding, byte) : utf8Start(from, byte);
      case "utf8":
        return utf8Next(from, partial, byte);
      case "rest": {
        const { like, count } = partial;
        if (byte < 0x80 || byte > 0xbf) return undefined;
        // Surrogates begin no range of characters that can be met here.
        if (count === 1) return whole(expression, encoding, like);
        return lexeme(expression, encoding, { kind: "rest", like, count: count - 1 });
      }
      case "escape": {
        if (byte === 0x75) return part(from, { kind: "hex", value: 0, digits: 0, high: undefined });
        const point = shortEscapes.get(byte);
        return point === undefined ? undefined : whole(expression, encoding, point);
      }
      case "hex":
        return hexNext(from, partial, byte);
      case "pair": {
        const { high, hasBackslash } = partial;
        if (byte !== (hasBackslash ? 0x75 : backslash)) return undefined;
        if (!hasBackslash) return part(from, { ...partial, hasBackslash: true });
        return part(from, { kind: "hex", value: 0, digits: 0, high });
      }
      default:
        return partial satisfies never;
    }
  }

  function utf8Start(from: Lexeme, byte: number): Lexeme | undefined {
    if (byte >= 0xc2 && byte <= 0xdf)
      return utf8Part(from, { base: (byte & 0x1f) << 6, count: 1, least: 0x80 });
    if (byte >= 0xe0 && byte <= 0xef)
      return utf8Part(from, { base: (byte & 0x0f) << 12, count: 2, least: 0x800 });
    if (byte >= 0xf0 && byte <= 0xf4)
      return utf8Part(from, { base: (byte & 0x07) << 18, count: 3, least: 0x10000 });
    return undefined;
  }

  /** Mostly it does not matter which character it becomes, and then it is not remembered. */
  function utf8Part(from: Lexeme, { base, count, least }: Omit<Utf8Partial, "kind">): Lexeme | undefined {
    const last = base + 64 ** count - 1;
    const isFree = base >= least && last <= maxPoint && (last < 0xd800 || base > 0xdfff);
    const breaks = expressions.breaks(from.expression);
    const isOne = isFree && !breaks.some((point) => point > base && point <= last);
    if (!isOne) return part(from, { kind: "utf8", base, count, least });
    const like = breaks.findLast((point) => point <= base) as number;
    const derived = expressions.derive(from.expression, base);
    return expressions.isLive(derived)
      ? lexeme(from.expression, from.encoding, { kind: "rest", like, count })
      : undefined;
  }

  function utf8Next(from: Lexeme, partial: Utf8Partial, byte: number): Lexeme | undefined {
    if (byte < 0x80 || byte > 0xbf) return undefined;
    const count = partial.count - 1;
    const base = partial.base + ((byte & 0x3f) << (6 * count));
    if (count > 0) return utf8Part(from, { base, count, least: partial.least });
    const isScalar = base >= partial.least && base <= maxPoint && !(base >= 0xd800 && base <= 0xdfff);
    return isScalar ? whole(from.expression, from.encoding, base) : undefined;
  }

  function hexNext(
    from: Lexeme,
    partial: Extract<Partial, { kind: "hex" }>,
    byte: number,
  ): Lexeme | undefined {
    const digit = Number.parseInt(String.fromCharCode(byte), 16);
    if (Number.isNaN(digit)) return undefined;
    const value = partial.value * 16 + digit;
    const digits = partial.digits + 1;
    const { high } = partial;
    if (digits < 4) return part(from, { kind: "hex", value, digits, high });
    const isHigh = value >= 0xd800 && value <= 0xdbff;
    const isLow = value >= 0xdc00 && value <= 0xdfff;
    if (high !== undefined) {
      const point = 0x10000 + ((high - 0xd800) << 10) + (value - 0xdc00);
      return isLow ? whole(from.expression, from.encoding, point) : undefined;
    }
    if (isHigh) return part(from, { kind: "pair", high: value, hasBackslash: false });
    return isLow ? undefined : whole(from.expression, from.encoding, value);
  }

  return {
    start: (expression, encoding) => lexeme(expression, encoding),
    step(from, byte) {
      const next = (from.next ??= []);
      const at = from.classes.of[byte];
      let to = next[at];
      if (to === undefined) next[at] = to = computeStep(from, byte) ?? null;
      return to ?? undefined;
    },
    sweep() {
      for (const { next } of known.values()) if (next !== undefined) next.length = 0;
      known.clear();
    },
  };
}

/** Code points that it can become. */
function rangesOf(partial: Partial): (readonly [number, number])[] {
  switch (partial.kind) {
    case "utf8": {
      const { base, count, least } = partial;
      const first = Math.max(base, least);
      const last = Math.min(base + 64 ** count - 1, maxPoint);
      return first <= last ? [[first, last]] : [];
    }
    case "rest":
    case "escape":
      return [[0, maxPoint]];
    case "pair":
      return [pairRange(partial.high, 0xdc00, 0xdfff)];
    case "hex": {
      const { value, digits, high } = partial;
      const size = 16 ** (4 - digits);
      const [first, last] = [value * size, value * size + size - 1];
      const within = (low: number, end: number): readonly [number, number] => [
        Math.max(first, low),
        Math.min(last, end),
      ];
      const isFilled = ([low, end]: readonly [number, number]): boolean => low <= end;
      if (high !== undefined) {
        return [within(0xdc00, 0xdfff)].filter(isFilled).map(([low, end]) => pairRange(high, low, end));
      }
      const halves = [within(0xd800, 0xdbff)].filter(isFilled);
      return [
        ...[within(0, 0xd7ff), within(0xe000, 0xffff)].filter(isFilled),
        ...halves.map(([low, end]) => [pairRange(low, 0xdc00, 0)[0], pairRange(end, 0, 0xdfff)[1]] as const),
      ];
    }
    default:
      return partial satisfies never;
  }
}

function pairRange(high: number, firstLow: number, lastLow: number): readonly [number, number] {
  const base = 0x10000 + ((high - 0xd800) << 10);
  return [base + firstLow - 0xdc00, base + lastLow - 0xdc00];
}

/** Whether only finitely many texts match, as far as is easily told. */
function isBounded(expression: Expression): boolean {
  switch (expression.kind) {
    case "nothing":
    case "empty":
    case "class":
      return true;
    case "concat":
      return isBounded(expression.first) && isBounded(expression.rest);
    case "or":
      return expression.items.every(isBounded);
    case "repeat":
      return Number.isFinite(expression.max) && isBounded(expression.item);
    case "and":
    case "not":
    case "automaton":
      return false;
    default:
      return expression satisfies never;
  }
}
