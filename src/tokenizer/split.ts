// What split patterns have in common: the type, and the parts that several patterns write alike.

import {
  type CharacterReader,
  NEWLINE,
  NUMBER,
  previousCharacter,
  SPACE,
  sequenceLength,
} from "./characters.ts";

/**
 * Where the piece ends that begins at `start`, in the valid UTF-8 `bytes[start, end)`. Always beyond `start`: pieces
 * cover the text. Tokens are merged within pieces only.
 */
export type Splitter = (bytes: Uint8Array, start: number, end: number) => number;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const slash = 0x2f;
const apostrophe = 0x27;

const isNewline = (byte: number): boolean => byte === lineFeed || byte === carriageReturn;

/** `\s*[\r\n]+|\s+(?!\S)|\s+`, where `start` is white space: up to the last newline; else all but the last; else all. */
export function spacesEnd(reader: CharacterReader, bytes: Uint8Array, start: number, end: number): number {
  const runEnd = reader.runEnd(bytes, start, end, SPACE | NEWLINE);
  for (let position = runEnd; position > start; position--) {
    if (isNewline(bytes[position - 1])) return position;
  }
  return allButLastSpace(bytes, start, runEnd, end);
}

/** `\s+(?!\S)|\s+`: the last space before something belongs to what follows, unless it is the only one. */
export function allButLastSpace(bytes: Uint8Array, start: number, runEnd: number, end: number): number {
  if (runEnd === end) return runEnd;
  const last = previousCharacter(bytes, runEnd);
  return last > start ? last : runEnd;
}

/** `\p{N}{1,maxDigits}`, where `start` is a number. */
export function numberEnd(
  reader: CharacterReader,
  bytes: Uint8Array,
  start: number,
  end: number,
  options: { readonly maxDigits: number },
): number {
  let position = start;
  for (let count = 0; count < options.maxDigits && position < end; count++) {
    if (reader.classAt(bytes, position) !== NUMBER) break;
    position += sequenceLength(bytes[position]);
  }
  return position;
}

/** `[\r\n]*`, or `[\r\n/]*`. */
export function newlinesEnd(
  bytes: Uint8Array,
  start: number,
  end: number,
  options: { readonly orSlashes: boolean },
): number {
  let position = start;
  while (position < end && (isNewline(bytes[position]) || (options.orSlashes && bytes[position] === slash))) {
    position++;
  }
  return position;
}

/** `(?i:'s|'t|'re|'ve|'m|'ll|'d)?` */
export function contractionEnd(bytes: Uint8Array, start: number, end: number): number {
  if (start + 1 >= end || bytes[start] !== apostrophe) return start;
  const first = bytes[start + 1] | 0x20;
  switch (first) {
    case 0x73: // s
    case 0x74: // t
    case 0x6d: // m
    case 0x64: // d
      return start + 2;
    case 0x72: // re
    case 0x76: // ve
      return start + 2 < end && (bytes[start + 2] | 0x20) === 0x65 ? start + 3 : start;
    case 0x6c: // ll
      return start + 2 < end && (bytes[start + 2] | 0x20) === 0x6c ? start + 3 : start;
    default:
      // ſ (U+017F, bytes C5 BF) is an s when case is ignored.
      return bytes[start + 1] === 0xc5 && start + 2 < end && bytes[start + 2] === 0xbf ? start + 3 : start;
  }
}
