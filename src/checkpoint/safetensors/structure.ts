// What must be known about a header before JSON.parse sees it: that it stays small once parsed, and names nothing twice
// (JSON.parse would silently keep the last one).

import { GptOssError } from "../../base/index.ts";
import { quote } from "../quote.ts";

/**
 * Brackets, colons and commas in one header. A tensor takes about a dozen, so this leaves room for 100,000 tensors in
 * one file (gpt-oss-120b has 687 in all), while "a billion tensors" is refused by a scan, before it becomes objects.
 */
const maxStructure = 1_500_000;
/** A header is three deep; unknown fields may nest a little. */
const maxDepth = 16;

/** Throws `checkpoint/bad-header` for what is said above; leaves every other fault to JSON.parse. */
export function checkStructure(file: string, text: string): void {
  /** The keys seen so far in each object that is open here; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  let structure = 0;
  let lastString = "";
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = endOfString(text, at);
      lastString = text.slice(at, end);
      at = end - 1;
      continue;
    }
    if (!"{}[]:,".includes(character)) continue;
    if (++structure > maxStructure) throw refuse(file, "the header lists far more than any model has");
    if (character === "{" || character === "[") {
      open.push(character === "{" ? new Set() : undefined);
      if (open.length > maxDepth) throw refuse(file, `the header nests more than ${maxDepth} deep`);
    } else if (character === "}" || character === "]") open.pop();
    else if (character === ":") {
      const key = unquote(lastString);
      const keys = open.at(-1);
      if (keys?.has(key)) throw refuse(file, `the header has ${quote(key)} twice`);
      keys?.add(key);
    }
  }
}

/** Position after the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at++) {
    const quoteAt = text.indexOf('"', at);
    if (quoteAt < 0) return text.length;
    let escapes = 0;
    while (text[quoteAt - 1 - escapes] === "\\" && quoteAt - 1 - escapes > start) escapes++;
    if (escapes % 2 === 0) return quoteAt + 1;
    at = quoteAt;
  }
}

function unquote(literal: string): string {
  try {
    return JSON.parse(literal);
  } catch {
    return literal; // JSON.parse of the whole text will refuse it too
  }
}

function refuse(file: string, problem: string): GptOssError {
  return new GptOssError("checkpoint/bad-header", {
    message: `${file}: ${problem}`,
    hint: "the file is damaged or hostile; fetch it again from where it was published",
  });
}
