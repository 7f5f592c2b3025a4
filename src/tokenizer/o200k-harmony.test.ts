import fc from "fast-check";
import { get_encoding } from "tiktoken";
import { describe, expect, test } from "vitest";
import { o200kHarmony, type TokenId } from "./index.ts";
import { hardText, sameIds, wellFormed } from "./testing/text.ts";

const tokenizer = o200kHarmony();
const tiktoken = get_encoding("o200k_base");
const isOfficial = (text: string): boolean => sameIds(tokenizer.encode(text), tiktoken.encode_ordinary(text));

const id = (value: number): TokenId => value as TokenId;
const textOf = (token: number): string => tokenizer.decode([id(token)]);

describe("the vocabulary", () => {
  test("every token has tiktoken's bytes", () => {
    const wrong: number[] = [];
    for (let token = 0; token < 199_998; token++) {
      const ours = tokenizer.bytes(id(token));
      if (!ours || Buffer.compare(ours, tiktoken.decode_single_token_bytes(token)) !== 0) wrong.push(token);
    }
    expect(wrong.slice(0, 20)).toEqual([]);
  });

  test("special tokens have the ids that gpt-oss was trained with", () => {
    expect(tokenizer.special).toEqual({
      startoftext: 199998,
      endoftext: 199999,
      return: 200002,
      constrain: 200003,
      channel: 200005,
      start: 200006,
      end: 200007,
      message: 200008,
      call: 200012,
    });
    for (const [name, token] of Object.entries(tokenizer.special)) expect(textOf(token)).toBe(`<|${name}|>`);
    expect(textOf(200018)).toBe("<|endofprompt|>");
  });

  test("every other id up to the model's last row is reserved, special and decodable", () => {
    expect(tokenizer.vocabularySize).toBe(201_088);
    const named = new Set<number>([...Object.values(tokenizer.special), 200018]);
    for (let token = 199_998; token < 201_088; token++) {
      expect(tokenizer.isSpecial(id(token))).toBe(true);
      if (!named.has(token)) expect(textOf(token)).toBe(`<|reserved_${token}|>`);
    }
    expect(tokenizer.isSpecial(id(199_997))).toBe(false);
    expect(tokenizer.isSpecial(id(201_088))).toBe(false);
  });

  test("an id outside the vocabulary has no bytes and decodes to U+FFFD", () => {
    for (const token of [-1, 201_088, 2 ** 31, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(tokenizer.bytes(id(token))).toBeUndefined();
      expect(textOf(token)).toBe("\ufffd");
    }
  });

  test("changing the bytes of a token that were handed out does not change the vocabulary", () => {
    tokenizer.bytes(id(1000))?.fill(0);
    expect(Buffer.from(tokenizer.bytes(id(1000))!)).toEqual(
      Buffer.from(tiktoken.decode_single_token_bytes(1000)),
    );
  });

  test("it is built once", () => {
    expect(o200kHarmony()).toBe(tokenizer);
  });
});

describe("equal to tiktoken", () => {
  test("on arbitrary UTF-16", () => {
    fc.assert(fc.property(hardText, isOfficial), { seed: 1, numRuns: 6000 });
  });

  test("on long pieces, where merging uses the heap", () => {
    const alphabet = fc.constantFrom(
      "a",
      "b",
      "A",
      "é",
      "漢",
      "字",
      "가",
      "क",
      "ा",
      "!",
      "=",
      " ",
      "\t",
      "🎉",
    );
    fc.assert(
      fc.property(
        fc.array(alphabet, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 20, max: 300 }),
        (unit, times) => {
          return isOfficial(unit.join("").repeat(times));
        },
      ),
      { seed: 2, numRuns: 300 },
    );
  });

  test("on every assigned code point, alone and doubled", () => {
    const different: string[] = [];
    for (let point = 0; point < 0x34000; point++) {
      const character = String.fromCodePoint(point);
      for (const text of [character, ` ${character}${character}`]) {
        if (!isOfficial(text)) different.push(`U+${point.toString(16)}`);
      }
    }
    expect(different.slice(0, 20)).toEqual([]);
  });

  test("on the text of every token", () => {
    const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const different: number[] = [];
    for (let token = 0; token < 199_998; token++) {
      let text: string;
      try {
        text = utf8.decode(tokenizer.bytes(id(token)));
      } catch {
        continue; // part of a character: no text has it as a piece
      }
      if (!isOfficial(text)) different.push(token);
    }
    expect(different.slice(0, 20)).toEqual([]);
  });
});

test("text that is well-formed survives encoding and decoding", () => {
  fc.assert(
    fc.property(hardText.map(wellFormed), (text) => {
      return tokenizer.decode(tokenizer.encode(text)) === text;
    }),
    { seed: 3, numRuns: 3000 },
  );
});

test("a lone surrogate is encoded as U+FFFD, as in tiktoken", () => {
  for (const text of ["\ud800", "a\udc00b", "\ud83d", "\ude00\ud83d"]) {
    expect(tokenizer.encode(text)).toEqual([...tiktoken.encode_ordinary(text)]);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(wellFormed(text));
  }
});

test("the text of a special token is ordinary text", () => {
  for (let token = 199_998; token < 201_088; token++) {
    const text = textOf(token);
    const ids = tokenizer.encode(`${text}x${text} ${text}\n`);
    expect(ids.filter((value) => tokenizer.isSpecial(value))).toEqual([]);
  }
  expect(tokenizer.encode("<|end|>")).toEqual([27, 91, 419, 91, 29]);
});
