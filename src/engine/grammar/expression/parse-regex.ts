// Reads an ECMAScript regular expression as it means with the `u` flag. Refuses what no finite machine can do
// (backreferences) and what this one does not (lookbehind, word boundaries, inline flags). Knows nothing of expressions.

import { badGrammar } from "./bad-grammar.ts";
import { type CodePoints, codePointsMatching, complement, union } from "./code-points.ts";

export type Pattern =
  | { readonly kind: "class"; readonly points: CodePoints }
  | { readonly kind: "sequence" | "alternatives"; readonly items: readonly Pattern[] }
  | { readonly kind: "repeat"; readonly item: Pattern; readonly min: number; readonly max: number }
  | { readonly kind: "start" | "end" }
  | { readonly kind: "look"; readonly item: Pattern; readonly isNegative: boolean };

interface Reader {
  readonly source: string;
  readonly characters: readonly string[];
  at: number;
  depth: number;
}

const maxDepth = 200;
const maxLength = 20_000;

const digits: CodePoints = [0x30, 0x39];
const words: CodePoints = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
const lineEnds: CodePoints = [0x0a, 0x0a, 0x0d, 0x0d, 0x2028, 0x2029];
const spaces = union(
  [0x09, 0x0d, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a],
  [0x2028, 0x2029, 0x202f, 0x202f, 0x205f, 0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff],
);

export function parseRegex(source: string): Pattern {
  if (source.length > maxLength) {
    throw badGrammar(`a pattern of ${source.length} characters is too long`, `the limit is ${maxLength}`);
  }
  const reader: Reader = { source, characters: Array.from(source), at: 0, depth: 0 };
  const pattern = readAlternatives(reader);
  if (reader.at < reader.characters.length) throw refusal(reader, "an unmatched )");
  return pattern;
}

function readAlternatives(reader: Reader): Pattern {
  if (++reader.depth > maxDepth) throw refusal(reader, `groups more than ${maxDepth} deep`);
  const items = [readSequence(reader)];
  while (take(reader, "|")) items.push(readSequence(reader));
  reader.depth--;
  return items.length === 1 ? items[0] : { kind: "alternatives", items };
}

function readSequence(reader: Reader): Pattern {
  const items: Pattern[] = [];
  for (let next = peek(reader); next !== undefined && next !== "|" && next !== ")"; next = peek(reader)) {
    items.push(readQuantified(reader, readAtom(reader)));
  }
  return items.length === 1 ? items[0] : { kind: "sequence", items };
}

function readQuantified(reader: Reader, item: Pattern): Pattern {
  const bounds = readBounds(reader);
  if (bounds === undefined) return item;
  if (item.kind === "start" || item.kind === "end" || item.kind === "look") {
    throw refusal(reader, "a repeated assertion");
  }
  take(reader, "?"); // lazy or not, the same texts match
  const [min, max] = bounds;
  if (min > max) throw refusal(reader, "bounds in the wrong order");
  if (readBounds(reader) !== undefined) throw refusal(reader, "nothing to repeat");
  return { kind: "repeat", item, min, max };
}

function readBounds(reader: Reader): readonly [number, number] | undefined {
  if (take(reader, "*")) return [0, Number.POSITIVE_INFINITY];
  if (take(reader, "+")) return [1, Number.POSITIVE_INFINITY];
  if (take(reader, "?")) return [0, 1];
  if (peek(reader) !== "{") return undefined;
  const rest = reader.characters.slice(reader.at, reader.at + 24).join("");
  const [text, min, comma, max] = /^\{(\d{1,9})(,?)(\d{1,9})?\}/.exec(rest) ?? [];
  if (text === undefined) return undefined;
  reader.at += text.length;
  if (comma === "") return [Number(min), Number(min)];
  return [Number(min), max === undefined ? Number.POSITIVE_INFINITY : Number(max)];
}

function readAtom(reader: Reader): Pattern {
  const character = next(reader);
  switch (character) {
    case "^":
      return { kind: "start" };
    case "$":
      return { kind: "end" };
    case ".":
      return { kind: "class", points: complement(lineEnds) };
    case "(":
      return readGroup(reader);
    case "[":
      return { kind: "class", points: readClass(reader) };
    case "\\":
      return { kind: "class", points: readEscape(reader, false) };
    case "*":
    case "+":
    case "?":
      throw refusal(reader, "nothing to repeat");
    default:
      return { kind: "class", points: single(character) };
  }
}

function readGroup(reader: Reader): Pattern {
  let look: "=" | "!" | undefined;
  if (take(reader, "?")) {
    const mark = next(reader);
    if (mark === "=" || mark === "!") look = mark;
    else if (mark === "<") {
      if (peek(reader) === "=" || peek(reader) === "!") throw refusal(reader, "lookbehind");
      while (next(reader) !== ">");
    } else if (mark !== ":") throw refusal(reader, "flags in a group");
  }
  const item = readAlternatives(reader);
  if (!take(reader, ")")) throw refusal(reader, "a group without end");
  return look === undefined ? item : { kind: "look", item, isNegative: look === "!" };
}

function readClass(reader: Reader): CodePoints {
  const isNegated = take(reader, "^");
  const parts: CodePoints[] = [];
  while (!take(reader, "]")) {
    const first = readClassMember(reader);
    const isRange = peek(reader) === "-" && reader.characters[reader.at + 1] !== "]";
    if (!isRange) {
      parts.push(first);
      continue;
    }
    reader.at++;
    const last = readClassMember(reader);
    const areSingle = [first, last].every((set) => set.length === 2 && set[0] === set[1]);
    if (areSingle && first[0] > last[0]) throw refusal(reader, "a range in the wrong order");
    if (areSingle) parts.push(complement(complement([first[0], last[0]])));
    else parts.push(first, single("-"), last); // [\w-.]: the hyphen is itself
  }
  const points = union(...parts);
  return isNegated ? complement(points) : points;
}

function readClassMember(reader: Reader): CodePoints {
  const character = next(reader);
  return character === "\\" ? readEscape(reader, true) : single(character);
}

const controls: { readonly [letter: string]: number } = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };

function readEscape(reader: Reader, isInClass: boolean): CodePoints {
  const letter = next(reader);
  switch (letter) {
    case "d":
      return digits;
    case "D":
      return complement(digits);
    case "w":
      return words;
    case "W":
      return complement(words);
    case "s":
      return spaces;
    case "S":
      return complement(spaces);
    case "p":
    case "P":
      return readProperty(reader, letter);
    case "x":
      return point(reader, readHex(reader, 2));
    case "u":
      return point(reader, readUnicode(reader));
    case "c":
      return point(reader, next(reader).charCodeAt(0) % 32);
    case "b":
      if (isInClass) return [8, 8];
      throw refusal(reader, "a word boundary");
    case "B":
      throw refusal(reader, "a word boundary");
    case "k":
      throw refusal(reader, "a backreference");
    default:
      if (Object.hasOwn(controls, letter)) return [controls[letter], controls[letter]];
      if (/[1-9]/.test(letter)) throw refusal(reader, "a backreference");
      if (/[A-Za-z]/.test(letter)) throw refusal(reader, `the unknown escape \\${letter}`);
      return single(letter);
  }
}

/** By asking the regular expressions of this machine, whose Unicode version is then the one that counts. */
function readProperty(reader: Reader, letter: "p" | "P"): CodePoints {
  let name = "";
  if (next(reader) !== "{") throw refusal(reader, "a property without braces");
  for (let character = next(reader); character !== "}"; character = next(reader)) name += character;
  try {
    return codePointsMatching(new RegExp(`^\\${letter}{${name}}$`, "u"));
  } catch {
    throw refusal(reader, `the unknown property ${name.slice(0, 40)}`);
  }
}

function readUnicode(reader: Reader): number {
  if (take(reader, "{")) {
    let text = "";
    for (let character = next(reader); character !== "}"; character = next(reader)) text += character;
    return /^[\da-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : -1;
  }
  const unit = readHex(reader, 4);
  const isPair = unit >= 0xd800 && unit <= 0xdbff && peek(reader) === "\\";
  if (!isPair || reader.characters[reader.at + 1] !== "u") return unit;
  reader.at += 2;
  return 0x10000 + ((unit - 0xd800) << 10) + (readHex(reader, 4) - 0xdc00);
}

function readHex(reader: Reader, length: number): number {
  const text = reader.characters.slice(reader.at, (reader.at += length)).join("");
  return /^[\da-f]+$/i.test(text) && text.length === length ? Number.parseInt(text, 16) : -1;
}

function point(reader: Reader, code: number): CodePoints {
  const isScalar = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
  if (!isScalar) throw refusal(reader, "an escape that is no character");
  return [code, code];
}

/** A lone surrogate in the source is a character that no text has. */
function single(character: string): CodePoints {
  const code = character.codePointAt(0) as number;
  return code >= 0xd800 && code <= 0xdfff ? [] : [code, code];
}

const peek = ({ characters, at }: Reader): string | undefined => characters[at];

function take(reader: Reader, character: string): boolean {
  if (peek(reader) !== character) return false;
  reader.at++;
  return true;
}

function next(reader: Reader): string {
  const character = reader.characters[reader.at++];
  if (character === undefined) throw refusal(reader, "an unexpected end");
  return character;
}

function refusal({ source, at }: Reader, what: string) {
  const shown = source.length > 80 ? `${source.slice(0, 80)}…` : source;
  return badGrammar(
    `the pattern /${shown}/ has ${what} before its character ${at + 1}, which cannot be enforced`,
    "use classes, groups, alternatives, repetitions, ^, $ and lookahead of ECMAScript",
  );
}
