// Texts that are hard to tokenize, for property tests.

import fc from "fast-check";

const fragments = [
  ..."aAzZsStTlLdDmMrReEvV'ſKß0159²Ⅷ٣ /\\.,;:!?-_#@&*()[]{}<>|\"`~^%$+=",
  ..."éÉñǅʰªßẞøΩωЖжאبकांกあア漢字한ᄀ각🎉🙂",
  ...[
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\v",
    "\f",
    "\0",
    "\u0085",
    "\u00a0",
    "\u1680",
    "\u180e",
    "\u2003",
    "\u2028",
    "\u200b",
  ],
  ...[
    "\u3000",
    "\ufeff",
    "\u0301",
    "\u0327",
    "\u20dd",
    "\u0903",
    "\u200d",
    "\u200c",
    "\ufe0f",
    "\u{1f3fd}",
    "\u{e0067}",
  ],
  ...["\ud83d", "\ude00", "\udfff", "\ufffd", "\uffff", "\u{10ffff}", "\u{1e943}", "\u{1e921}", "\u{1d400}"],
  ...[
    "  ",
    "    ",
    "\n\n",
    "!\n/",
    " \n ",
    "'s",
    "'LL",
    "'Re",
    "'ve",
    "'M",
    "'ſ",
    "n't",
    " the",
    "The",
    "HTTP",
    "camelCase",
    "123456",
  ],
  ...["👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "नमस्ते", "你好世界", "こんにちは", "안녕하세요", "مرحبا", "สวัสดี", "e\u0301"],
  ...[
    "<|end|>",
    "<|start|>",
    "<|channel|>",
    "<|return|>",
    "<|call|>",
    "<|endoftext|>",
    "<|reserved_200013|>",
  ],
] as const;

/** Any UTF-16, lone surrogates included, mostly from the corners where tokenizers differ. */
export const hardText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fc.constantFrom(...fragments) },
      { weight: 2, arbitrary: fc.string({ unit: "grapheme", maxLength: 4 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 0, max: 0x10ffff }).map((point) => String.fromCodePoint(point)),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom(...fragments), fc.integer({ min: 2, max: 60 }))
          .map(([fragment, times]) => fragment.repeat(times)),
      },
    ),
    { maxLength: 40, size: "max" },
  )
  .map((parts) => parts.join(""));

/** Lone surrogates replaced, as UTF-8 has to. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd");
}

/** For properties: a failed `expect` on two long lists costs far more than a comparison, at every step of shrinking. */
export function sameIds(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
