// A vocabulary for tests: all single bytes, and pieces that cross the borders of JSON's parts and of characters.

const pieces = [
  ...[
    '"',
    '":',
    '": "',
    '","',
    '"}',
    '"},',
    '{"',
    '{ "',
    '[{"',
    "},{",
    "]}",
    "}}",
    "[]",
    "{}",
    "[[",
    "\n  ",
    "\n    ",
  ],
  ...[
    "  ",
    " 1",
    "12",
    "345",
    "0.",
    ".5",
    "-1",
    "e1",
    "1e",
    "00",
    "true",
    "false",
    "null",
    "tr",
    "ue,",
    ", ",
    ",\n",
  ],
  ...[
    "a",
    "ab",
    "abc",
    "name",
    "value",
    " the",
    "é",
    "日本",
    "🙂",
    "\\n",
    '\\"',
    "\\u00",
    "\\ud83d",
    "x\\",
    "a b c d e f",
  ],
];

/** Id → bytes; ids from 256 on are pieces, the last two are control tokens without text. */
export const tokenTexts: readonly (Uint8Array | undefined)[] = [
  ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
  ...[...new Set(pieces)]
    .filter((piece) => piece.length > 1 || piece > "\x7f")
    .map((piece) => new TextEncoder().encode(piece)),
  // The second half of a character with what follows it, and the first half of another.
  Uint8Array.of(0xa9, 0x22),
  Uint8Array.of(0xf0, 0x9f),
  undefined,
  undefined,
];

export const vocabularySize = tokenTexts.length;
export const stopToken = vocabularySize - 1;
export const tokenBytes = (token: number): Uint8Array | undefined => tokenTexts[token];
