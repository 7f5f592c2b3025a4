// Character classes as split patterns see them: \p{Lu}, \s and so on, for every code point, read from UTF-8 bytes.
// The table is fixed data rather than the engine's own \p{…}, because engines differ in Unicode version and JavaScript's
// \s is not Unicode's White_Space: the same text must give the same tokens everywhere.

import { characterClassRuns } from "./data/character-classes.ts";

/** Sets of classes are bit masks, so a class is one bit. */
export const OTHER = 1;
/** White space except carriage return and line feed. */
export const SPACE = 2;
/** Carriage return and line feed. */
export const NEWLINE = 4;
/** Lu and Lt. */
export const UPPER = 8;
/** Ll. */
export const LOWER = 16;
/** Lm and Lo. */
export const CASELESS = 32;
/** Mn, Mc and Me; not letters, though o200k counts them as parts of words. */
export const MARK = 64;
/** Nd, Nl and No. */
export const NUMBER = 128;

export const LETTER: number = UPPER | LOWER | CASELESS;

const classOfLetter: Readonly<Record<string, number>> = {
  O: OTHER,
  S: SPACE,
  R: NEWLINE,
  U: UPPER,
  L: LOWER,
  C: CASELESS,
  M: MARK,
  N: NUMBER,
};

let table: Uint8Array | undefined;

/** The class of every code point. */
function classTable(): Uint8Array {
  if (table) return table;
  table = new Uint8Array(0x110000);
  let point = 0;
  for (const [, length, letter] of characterClassRuns.matchAll(/([0-9a-z]*)([A-Z])/g)) {
    const end = point + (length === "" ? 1 : Number.parseInt(length, 36));
    table.fill(classOfLetter[letter], point, end);
    point = end;
  }
  return table;
}

/** Reads classes from valid UTF-8. */
export interface CharacterReader {
  /** The class of the character that begins at `position`. */
  classAt(bytes: Uint8Array, position: number): number;
  /** The first position at or after `start` whose character is in none of `classes`; at most `end`. */
  runEnd(bytes: Uint8Array, start: number, end: number, classes: number): number;
}

export function characterReader(): CharacterReader {
  const classes = classTable();

  const classAt = (bytes: Uint8Array, position: number): number => {
    const lead = bytes[position];
    if (lead < 0x80) return classes[lead];
    const second = bytes[position + 1] & 0x3f;
    if (lead < 0xe0) return classes[((lead & 0x1f) << 6) | second];
    const third = bytes[position + 2] & 0x3f;
    if (lead < 0xf0) return classes[((lead & 0x0f) << 12) | (second << 6) | third];
    return classes[((lead & 0x07) << 18) | (second << 12) | (third << 6) | (bytes[position + 3] & 0x3f)];
  };

  const runEnd = (bytes: Uint8Array, start: number, end: number, set: number): number => {
    let position = start;
    while (position < end) {
      const lead = bytes[position];
      if (lead < 0x80) {
        if (!(classes[lead] & set)) return position;
        position++;
      } else {
        if (!(classAt(bytes, position) & set)) return position;
        position += sequenceLength(lead);
      }
    }
    return position;
  };

  return { classAt, runEnd };
}

/** Bytes of the UTF-8 sequence that begins with `lead`. */
export function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead < 0xe0) return 2;
  return lead < 0xf0 ? 3 : 4;
}

/** Where the character before `position` begins. */
export function previousCharacter(bytes: Uint8Array, position: number): number {
  let start = position - 1;
  while ((bytes[start] & 0xc0) === 0x80) start--;
  return start;
}
