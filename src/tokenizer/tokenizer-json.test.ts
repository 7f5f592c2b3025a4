import { readFileSync } from "node:fs";
import fc from "fast-check";
import { Tiktoken } from "tiktoken";
import cl100k from "tiktoken/encoders/cl100k_base.json" with { type: "json" };
import gpt2 from "tiktoken/encoders/gpt2.json" with { type: "json" };
import o200k from "tiktoken/encoders/o200k_base.json" with { type: "json" };
import { describe, expect, test } from "vitest";
import { GptOssError } from "../base/index.ts";
import { o200kHarmony, type TokenId, type Tokenizer, tokenizerFromJson } from "./index.ts";
import { hardText, sameIds, wellFormed } from "./testing/text.ts";
import { type TokenizerJson, tokenizerJson } from "./testing/tokenizer-json.ts";

const microText = readFileSync(new URL("../../models/micro/tokenizer.json", import.meta.url), "utf8");
const micro = (): TokenizerJson => JSON.parse(microText);

describe("the embedded model's tokenizer.json", () => {
  const tokenizer = tokenizerFromJson(microText);

  test("has its own special ids", () => {
    expect(tokenizer.special).toEqual({
      startoftext: 2048,
      endoftext: 2049,
      return: 2050,
      constrain: 2051,
      channel: 2052,
      start: 2053,
      end: 2054,
      message: 2055,
      call: 2056,
    });
    expect(tokenizer.vocabularySize).toBe(2057);
    expect(tokenizer.decode([tokenizer.special.channel])).toBe("<|channel|>");
    expect(tokenizer.isSpecial(2047 as TokenId)).toBe(false);
  });

  test("is tiktoken with the first 2048 ranks of o200k", () => {
    const full = o200kHarmony();
    const ranks = Array.from({ length: 2048 }, (_, rank) => {
      const bytes = full.bytes(rank as TokenId)!;
      if (Buffer.compare(tokenizer.bytes(rank as TokenId)!, bytes) !== 0) throw new Error(`rank ${rank}`);
      return `${Buffer.from(bytes).toString("base64")} ${rank}`;
    });
    const official = new Tiktoken(ranks.join("\n"), {}, o200k.pat_str);
    fc.assert(
      fc.property(hardText, (text) => {
        const ids = tokenizer.encode(text);
        return (
          sameIds(ids, official.encode_ordinary(text)) &&
          tokenizer.decode(ids) === wellFormed(text) &&
          !ids.some((id) => tokenizer.isSpecial(id))
        );
      }),
      { seed: 1, numRuns: 1500 },
    );
    official.free();
  });

  test("may be given parsed, and with merges as strings", () => {
    const file = micro();
    const text = "Merges, as strings: déjà vu 漢字 12345";
    expect(tokenizerFromJson(file).encode(text)).toEqual(tokenizer.encode(text));
    file.model.merges = file.model.merges.map((pair) => (pair as string[]).join(" "));
    expect(tokenizerFromJson(file).encode(text)).toEqual(tokenizer.encode(text));
  });
});

describe("merges in Hugging Face form give tiktoken's tokens", () => {
  const cases = [
    { name: "o200k", source: o200k, pattern: o200k.pat_str, ignoreMerges: true },
    { name: "cl100k", source: cl100k, pattern: cl100k.pat_str, ignoreMerges: true },
    { name: "GPT-2, without ignore_merges", source: gpt2, pattern: gpt2.pat_str, ignoreMerges: false },
  ];
  test.each(cases)("$name", ({ source, pattern, ignoreMerges }) => {
    const official = new Tiktoken(source.bpe_ranks, {}, pattern);
    const tokens = Array.from({ length: official.token_byte_values().length }, (_, rank) =>
      official.decode_single_token_bytes(rank),
    );
    const file = tokenizerJson(tokens, pattern);
    file.model.ignore_merges = ignoreMerges;
    const tokenizer = tokenizerFromJson(file);
    fc.assert(
      fc.property(hardText, (text) => sameIds(tokenizer.encode(text), official.encode_ordinary(text))),
      { seed: 2, numRuns: 800 },
    );
    official.free();
  });
});

test("ByteLevel alone stands for GPT-2's pattern", () => {
  const file = micro();
  file.pre_tokenizer = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true };
  const withPattern = micro();
  (withPattern.pre_tokenizer.pretokenizers as Record<string, unknown>[])[0].pattern = { Regex: gpt2.pat_str };
  const text = "It's 12345 o'clock   now!!\n\nYes";
  expect(tokenizerFromJson(file).encode(text)).toEqual(tokenizerFromJson(withPattern).encode(text));
});

test("ignore_merges makes a piece that is a token that token, even if no merge leads there", () => {
  const file = micro();
  file.model.vocab.zqxj = 2060;
  const encode = (ignoreMerges: boolean): TokenId[] => {
    file.model.ignore_merges = ignoreMerges;
    return tokenizerFromJson(file).encode("zqxj");
  };
  expect(encode(true)).toEqual([2060]);
  expect(encode(false)).not.toContain(2060);
});

describe("added tokens", () => {
  const added = (content: string, id: number, options: Record<string, unknown> = {}) => ({
    id,
    content,
    ...options,
  });
  const ids = (tokenizer: Tokenizer, ...texts: string[]): number[] =>
    texts.flatMap((text) => tokenizer.encode(text));

  test("that are not special are found in text: the leftmost, then the longest", () => {
    const file = micro();
    file.added_tokens.push(
      added("<tool>", 2060, { special: false }),
      added("<tool>s", 2061, { special: false }),
      added("a+b", 2062, { special: false }),
    );
    const tokenizer = tokenizerFromJson(file);
    expect(tokenizer.encode("x <tool>y<tool>sa+b aab")).toEqual([
      ...ids(tokenizer, "x "),
      2060,
      ...ids(tokenizer, "y"),
      2061,
      2062,
      ...ids(tokenizer, " aab"),
    ]);
    expect(tokenizer.isSpecial(2060 as TokenId)).toBe(false);
    expect(tokenizer.decode([2060 as TokenId])).toBe("<tool>");
  });

  test("that are special are never found in text", () => {
    const file = micro();
    file.added_tokens.push(added("<|secret|>", 2060, { special: true }));
    const tokenizer = tokenizerFromJson(file);
    expect(tokenizer.encode("<|secret|>")).not.toContain(2060);
    expect(tokenizer.isSpecial(2060 as TokenId)).toBe(true);
  });

  test("of harmony are special, whatever the file says", () => {
    const file = micro();
    for (const token of file.added_tokens) token.special = false;
    const tokenizer = tokenizerFromJson(file);
    expect(tokenizer.isSpecial(tokenizer.special.end)).toBe(true);
    expect(tokenizer.encode("<|end|>")).not.toContain(tokenizer.special.end);
  });

  test("that are special and also in the vocabulary are not pieces of text", () => {
    const file = micro();
    file.model.vocab["!!!!"] = 2060;
    file.added_tokens.push(added("!!!!", 2060, { special: true }));
    expect(tokenizerFromJson(file).encode("!!!!")).not.toContain(2060);
  });
});

describe("a file that cannot be honoured is refused with tokenizer/bad-file", () => {
  type Change = (file: TokenizerJson) => void;
  const split = (file: TokenizerJson): Record<string, unknown> =>
    (file.pre_tokenizer.pretokenizers as Record<string, unknown>[])[0];
  const byteLevel = (file: TokenizerJson): Record<string, unknown> =>
    (file.pre_tokenizer.pretokenizers as Record<string, unknown>[])[1];

  const cases: readonly [string, Change, RegExp][] = [
    ["another model type", (file) => (file.model.type = "Unigram"), /model type "Unigram"/],
    ["a normalizer", (file) => (file.normalizer = { type: "NFC" }), /normalizer "NFC"/],
    ["another decoder", (file) => (file.decoder = { type: "Metaspace" }), /decoder "Metaspace"/],
    ["dropout", (file) => (file.model.dropout = 0.1), /dropout/],
    ["a word suffix", (file) => (file.model.end_of_word_suffix = "</w>"), /end_of_word_suffix/],
    ["another pattern", (file) => (split(file).pattern = { Regex: "(a+)+$" }), /split pattern "\(a\+\)\+\$"/],
    ["a literal pattern", (file) => (split(file).pattern = { String: " " }), /split pattern/],
    ["another behaviour", (file) => (split(file).behavior = "MergedWithNext"), /MergedWithNext/],
    ["a prefix space", (file) => (byteLevel(file).add_prefix_space = true), /add_prefix_space/],
    ["two patterns", (file) => (byteLevel(file).use_regex = true), /use_regex/],
    ["another pre-tokenizer", (file) => (file.pre_tokenizer = { type: "Whitespace" }), /"Whitespace"/],
    ["a missing byte", (file) => delete file.model.vocab["!"], /byte 33/],
    ["two tokens with one id", (file) => (file.model.vocab.zqxj = 7), /id 7/],
    ["a negative id", (file) => (file.model.vocab.zqxj = -1), /-1/],
    ["an id that would fill the memory", (file) => (file.model.vocab.zqxj = 2 ** 22), /4194304/],
    ["an id with a fraction", (file) => (file.model.vocab.zqxj = 0.5), /0\.5/],
    ["a token in raw text", (file) => (file.model.vocab["a b"] = 2060), /"a b"/],
    ["an empty token", (file) => (file.model.vocab[""] = 2060), /empty/],
    ["a merge of an unknown token", (file) => file.model.merges.push(["zq", "x"]), /"zq"/],
    ["a merge into an unknown token", (file) => file.model.merges.push(["z", "q"]), /"zq"/],
    ["a merge of three", (file) => file.model.merges.push("a b c"), /"a b c"/],
    ["a merge of nothing", (file) => file.model.merges.push(["", "a"]), /two tokens/],
    ["no merges", (file) => (file.model.merges = null as never), /merges/],
    ["an added token without text", (file) => file.added_tokens.push({ id: 2060 }), /content/],
    [
      "an added token with another's id",
      (file) => file.added_tokens.push({ id: 2054, content: "<x>" }),
      /"<x>" with id 2054/,
    ],
    [
      "an added token with another's text",
      (file) => file.added_tokens.push({ id: 2060, content: "<|end|>" }),
      /"<\|end\|>" with id 2060/,
    ],
    [
      "an ordinary added token that eats spaces",
      (file) => file.added_tokens.push({ id: 2060, content: "<x>", special: false, lstrip: true }),
      /lstrip/,
    ],
    [
      "a special token that text could yield",
      (file) => file.added_tokens.push({ id: 256, content: "ĠĠ", special: true }),
      /"ĠĠ"/,
    ],
    [
      "no <|channel|>",
      (file) => (file.added_tokens = file.added_tokens.filter((token) => token.content !== "<|channel|>")),
      /<\|channel\|>/,
    ],
  ];

  test.each(cases)("%s", (_, change, message) => {
    const file = micro();
    change(file);
    expect(failure(() => tokenizerFromJson(file))).toMatchObject({ code: "tokenizer/bad-file", message });
  });

  test.each([
    ["nothing", ""],
    ["not JSON", "{"],
    ["null", "null"],
    ["an array", "[]"],
    ["a string", '"x"'],
    ["an empty object", "{}"],
    ["cut short", microText.slice(0, -1)],
    ["deep", "[".repeat(100_000)],
    ["deep and whole", "[".repeat(100_000) + "]".repeat(100_000)],
  ])("%s", (_, text) => {
    expect(failure(() => tokenizerFromJson(text))).toMatchObject({ code: "tokenizer/bad-file" });
  });
});

test("fuzz: a damaged file is refused with a code, or its tokenizer still gives every text back", () => {
  const text = "It's <|end|> déjà vu: 漢字 123456 🙂\r\n  ok";
  let refused = 0;
  let accepted = 0;
  const strange = fc.constantFrom<unknown>(
    null,
    true,
    0,
    -1,
    1e9,
    2047,
    0.5,
    "",
    "x",
    "Ġ",
    "ByteLevel",
    [],
    {},
    [[]],
    [{}],
  );
  fc.assert(
    fc.property(
      fc.infiniteStream(fc.nat()),
      fc.array(strange, { minLength: 1, maxLength: 3 }),
      (choices, values) => {
        const file = micro();
        for (const value of values) damage(file, value, choices);
        try {
          const tokenizer = tokenizerFromJson(JSON.stringify(file));
          expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
          accepted++;
        } catch (error) {
          if (!GptOssError.isInstance(error)) throw error;
          expect(error.code).toBe("tokenizer/bad-file");
          expect(error.message).not.toContain("\n");
          refused++;
        }
      },
    ),
    { seed: 3, numRuns: 300 },
  );
  expect(refused).toBeGreaterThan(100);
  expect(accepted).toBeGreaterThan(10);
});

/** Replaces, removes or adds something at a random place; small containers are as likely as the vocabulary. */
function damage(root: object, value: unknown, choices: Iterator<number>): void {
  const pick = (count: number): number => (choices.next().value as number) % count;
  let node = root as Record<string, unknown>;
  for (;;) {
    const keys = Object.keys(node);
    if (keys.length === 0) return;
    const key = keys[pick(keys.length)];
    const child = node[key];
    if (typeof child === "object" && child !== null && pick(4) !== 0) {
      node = child as Record<string, unknown>;
      continue;
    }
    const kind = pick(4);
    if (kind === 0) delete node[key];
    else if (kind === 1 && !Array.isArray(node)) node[`${key}x`] = value;
    else if (kind === 2 && Array.isArray(node)) node.push(child);
    else node[key] = value;
    return;
  }
}

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("expected an error");
}
