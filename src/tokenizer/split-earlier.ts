// The patterns of OpenAI's earlier vocabularies, which many byte-level BPE tokenizers took over; scanners as in
// split-o200k.ts.

import {
  type CharacterReader,
  characterReader,
  LETTER,
  MARK,
  NUMBER,
  OTHER,
  SPACE,
  sequenceLength,
} from "./characters.ts";
import {
  allButLastSpace,
  contractionEnd,
  newlinesEnd,
  numberEnd,
  type Splitter,
  spacesEnd,
} from "./split.ts";

export const gpt2Pattern =
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** cl100k's pattern; some vocabularies use it with every digit on its own (`\p{N}` for `\p{N}{1,3}`). */
export const cl100kPattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const spaceByte = 0x20;

export function gpt2Splitter(): Splitter {
  const reader = characterReader();
  const { classAt, runEnd } = reader;

  return (bytes, start, end) => {
    const contraction = contractionEnd(bytes, start, end);
    if (contraction > start && isLowerCase(bytes, start + 1, contraction)) return contraction;
    const body = bytes[start] === spaceByte && start + 1 < end ? start + 1 : start;
    for (const kind of [LETTER, NUMBER, OTHER | MARK]) {
      if (classAt(bytes, body) & kind) return runEnd(bytes, body, end, kind);
    }
    return allButLastSpace(bytes, start, runEnd(bytes, start, end, ~(LETTER | NUMBER | OTHER | MARK)), end);
  };
}

const isLowerCase = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if (bytes[i] < 0x61 || bytes[i] > 0x7a) return false;
  return true;
};

export function cl100kSplitter(options: { readonly maxDigits: number }): Splitter {
  const reader: CharacterReader = characterReader();
  const { classAt, runEnd } = reader;

  return (bytes, start, end) => {
    const contraction = contractionEnd(bytes, start, end);
    if (contraction > start) return contraction;
    const first = classAt(bytes, start);
    if (first & LETTER) return runEnd(bytes, start, end, LETTER);
    if (first & NUMBER) return numberEnd(reader, bytes, start, end, options);
    if (first & (OTHER | MARK | SPACE)) {
      const second = start + sequenceLength(bytes[start]);
      const prefixed = runEnd(bytes, second, end, LETTER);
      if (prefixed > second) return prefixed;
    }
    const symbols = bytes[start] === spaceByte ? start + 1 : start;
    const afterSymbols = runEnd(bytes, symbols, end, OTHER | MARK);
    if (afterSymbols > symbols) return newlinesEnd(bytes, afterSymbols, end, { orSlashes: false });
    return spacesEnd(reader, bytes, start, end);
  };
}
