// Which scanner does what tokenizer.json's `pre_tokenizer` asks for. Only patterns with a scanner are accepted: a file's
// own regular expression could take exponential time, and JavaScript would read it differently from Hugging Face.

import type { Splitter } from "./split.ts";
import { cl100kPattern, cl100kSplitter, gpt2Pattern, gpt2Splitter } from "./split-earlier.ts";
import { o200kPattern, o200kSplitter } from "./split-o200k.ts";
import { badFile, isRecord, type Json, show } from "./tokenizer-json-values.ts";

const splitters: ReadonlyMap<string, () => Splitter> = new Map([
  [o200kPattern, o200kSplitter],
  [cl100kPattern, () => cl100kSplitter({ maxDigits: 3 })],
  [cl100kPattern.replace("\\p{N}{1,3}", "\\p{N}"), () => cl100kSplitter({ maxDigits: 1 })],
  [gpt2Pattern, gpt2Splitter],
]);

/** Accepts a Split with a known pattern followed by ByteLevel, or ByteLevel alone, which stands for GPT-2's pattern. */
export function splitterOf(preTokenizer: unknown): Splitter {
  const steps =
    isRecord(preTokenizer) && preTokenizer.type === "Sequence" ? preTokenizer.pretokenizers : [preTokenizer];
  if (!Array.isArray(steps) || steps.length === 0 || !steps.every(isRecord)) {
    throw badFile(`"pre_tokenizer" should be an object or a sequence of them, found ${show(preTokenizer)}`);
  }
  const [first, second] = steps;
  if (steps.length === 1 && first.type === "ByteLevel") {
    checkByteLevel(first, { usesPattern: true });
    return gpt2Splitter();
  }
  if (steps.length === 2 && first.type === "Split" && second.type === "ByteLevel") {
    checkByteLevel(second, { usesPattern: false });
    return splitterOfPattern(first);
  }
  throw badFile(
    `the pre-tokenizers ${steps.map((step) => show(step.type)).join(", ")} are not supported, only Split and ByteLevel`,
  );
}

function checkByteLevel(step: Json, options: { readonly usesPattern: boolean }): void {
  if (step.add_prefix_space === true) throw badFile("ByteLevel with add_prefix_space is not supported");
  if ((step.use_regex ?? true) !== options.usesPattern) {
    throw badFile(`ByteLevel with use_regex ${show(step.use_regex)} is not supported here`);
  }
}

function splitterOfPattern(split: Json): Splitter {
  // The known patterns leave nothing between matches, so removing what is between them keeps all, too.
  const keepsMatches =
    split.behavior === "Isolated" || (split.behavior === "Removed" && split.invert === true);
  if (!keepsMatches) throw badFile(`Split with behavior ${show(split.behavior)} is not supported`);
  const pattern = isRecord(split.pattern) ? split.pattern.Regex : undefined;
  const splitter = typeof pattern === "string" ? splitters.get(pattern) : undefined;
  if (!splitter)
    throw badFile(`the split pattern ${show(pattern)} is not one of those supported: o200k, cl100k, GPT-2`);
  return splitter();
}
