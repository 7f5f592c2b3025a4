// Cuts text into the pieces that o200k's pattern cuts, without a regular expression: one pass, no backtracking, so no
// input is slow. Each function says which alternative it is. The pattern (`o200kPattern`) tries, in this order:
//
//   words    [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//            [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//   numbers  \p{N}{1,3}
//   symbols  ␣?[^\s\p{L}\p{N}]+[\r\n/]*
//   spaces   \s*[\r\n]+ | \s+(?!\S) | \s+

import {
  CASELESS,
  type CharacterReader,
  characterReader,
  LETTER,
  LOWER,
  MARK,
  NUMBER,
  OTHER,
  previousCharacter,
  SPACE,
  sequenceLength,
  UPPER,
} from "./characters.ts";
import { contractionEnd, newlinesEnd, numberEnd, type Splitter, spacesEnd } from "./split.ts";

const word = "[^\\r\\n\\p{L}\\p{N}]?";
const upper = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const lower = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?";

export const o200kPattern: string = [
  `${word}${upper}*${lower}+${contraction}`,
  `${word}${upper}+${lower}*${contraction}`,
  "\\p{N}{1,3}",
  " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*",
  "\\s*[\\r\\n]+",
  "\\s+(?!\\S)",
  "\\s+",
].join("|");

const spaceByte = 0x20;

export function o200kSplitter(): Splitter {
  const reader = characterReader();
  const { classAt, runEnd } = reader;

  return (bytes, start, end) => {
    const first = classAt(bytes, start);
    if (first & (LETTER | MARK)) return wordEnd(reader, bytes, start, end);
    if (first & NUMBER) return numberEnd(reader, bytes, start, end, { maxDigits: 3 });
    if (first & (OTHER | SPACE)) {
      const second = start + sequenceLength(bytes[start]);
      const prefixed = wordEnd(reader, bytes, second, end);
      if (prefixed > second) return prefixed;
    }
    const symbols = bytes[start] === spaceByte ? start + 1 : start;
    const afterSymbols = runEnd(bytes, symbols, end, OTHER | MARK);
    if (afterSymbols > symbols) return newlinesEnd(bytes, afterSymbols, end, { orSlashes: true });
    return spacesEnd(reader, bytes, start, end);
  };
}

/**
 * Both word alternatives without their optional first character; returns `start` where neither matches. A mark may be
 * that first character or the word's own, and gives the same end either way.
 */
function wordEnd(reader: CharacterReader, bytes: Uint8Array, start: number, end: number): number {
  const { classAt, runEnd } = reader;
  const upperEnd = runEnd(bytes, start, end, UPPER | CASELESS | MARK);
  if (upperEnd < end && classAt(bytes, upperEnd) === LOWER) {
    return contractionEnd(bytes, runEnd(bytes, upperEnd, end, LOWER | CASELESS | MARK), end);
  }
  // No lower case follows. The first alternative still matches if its `upper*` can give a character back that is also
  // in `lower`: the last caseless one, where the piece ends. Otherwise the second alternative takes the whole run.
  for (let position = upperEnd; position > start; ) {
    const previous = previousCharacter(bytes, position);
    if (classAt(bytes, previous) !== UPPER) return contractionEnd(bytes, position, end);
    position = previous;
  }
  return upperEnd > start ? contractionEnd(bytes, upperEnd, end) : start;
}
