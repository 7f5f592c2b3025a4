import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cl100kPattern, gpt2Pattern } from "./split-earlier.ts";
import { o200kPattern } from "./split-o200k.ts";
import { hardText, sameIds } from "./testing/text.ts";
import { visibleCuts } from "./testing/visible-cuts.ts";

const patterns = [
  { name: "o200k", pattern: o200kPattern },
  { name: "cl100k", pattern: cl100kPattern },
  { name: "cl100k with single digits", pattern: cl100kPattern.replace("{1,3}", "") },
  { name: "GPT-2", pattern: gpt2Pattern },
];

describe.each(patterns)(
  "text is cut where tiktoken cuts it with the pattern of $name",
  ({ name, pattern }) => {
    const { ours, official } = visibleCuts(pattern);
    const isCutAlike = (text: string): boolean => sameIds(ours.encode(text), official.encode_ordinary(text));

    test("arbitrary UTF-16", () => {
      fc.assert(fc.property(hardText, isCutAlike), { seed: 1, numRuns: 1500 });
    });

    // Every code point for the pattern that the models use; for the others, those where classes are dense.
    const end = name === "o200k" ? 0x110000 : 0x3400;

    test(`code points below U+${end.toString(16)} among letters, digits, spaces, symbols and newlines`, () => {
      const different: string[] = [];
      const block = 256;
      for (let first = 0; first < end; first += block) {
        let text = "";
        for (let point = first; point < first + block; point++) text += inContexts(point);
        if (!isCutAlike(text)) different.push(`U+${first.toString(16)}…`);
      }
      expect(different.slice(0, 20)).toEqual([]);
    });
  },
);

function inContexts(point: number): string {
  const c = String.fromCodePoint(point);
  // Planes 4 to 13, 15 and 16 hold nothing but unassigned and private code points: there, one context will do.
  const isInUse = point < 0x34000 || (point >= 0xe0000 && point < 0xe1000);
  if (!isInUse) return `!!${c}aa`;
  return `AA${c}aa${c}AA${c}  ${c}12${c}!!${c}'s${c}\n\n${c}//${c}${c} ${c}É${c}漢`;
}
