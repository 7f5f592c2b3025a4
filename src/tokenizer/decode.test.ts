import fc from "fast-check";
import { expect, test } from "vitest";
import { o200kHarmony, type TokenId } from "./index.ts";
import { hardText, wellFormed } from "./testing/text.ts";

const tokenizer = o200kHarmony();

/** Any ids: ordinary ones, pieces of characters, special ones, ids past the vocabulary. */
const anyId = fc
  .oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 255 }) },
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 199_997 }) },
    { weight: 1, arbitrary: fc.integer({ min: 199_998, max: 201_200 }) },
    { weight: 1, arbitrary: fc.integer() },
  )
  .map((value) => value as TokenId);

const streamed = (ids: readonly TokenId[]): string => {
  const decoder = tokenizer.streamDecoder();
  return ids.map((token) => decoder.push(token)).join("") + decoder.flush();
};

const bytesOf = (ids: readonly TokenId[]): Buffer =>
  Buffer.concat(ids.map((token) => tokenizer.bytes(token) ?? Buffer.from("\ufffd")));

test("streamed text is the text decoded at once, whatever the ids", () => {
  fc.assert(
    fc.property(fc.array(anyId, { maxLength: 60 }), (ids) => {
      return streamed(ids) === tokenizer.decode(ids);
    }),
    { seed: 1, numRuns: 5000 },
  );
});

test("invalid bytes become U+FFFD exactly as TextDecoder has it", () => {
  fc.assert(
    fc.property(fc.array(anyId, { maxLength: 60 }), (ids) => {
      const expected = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytesOf(ids));
      return tokenizer.decode(ids) === expected;
    }),
    { seed: 2, numRuns: 2000 },
  );
});

test("no half character is ever shown", () => {
  fc.assert(
    fc.property(
      hardText.map((text) => wellFormed(text).replaceAll("\ufffd", "")),
      (text) => {
        const decoder = tokenizer.streamDecoder();
        const shown = tokenizer.encode(text).map((token) => decoder.push(token));
        return !shown.some((delta) => delta.includes("\ufffd")) && decoder.flush() === "";
      },
    ),
    { seed: 3, numRuns: 2000 },
  );
});

test("an emoji in several tokens appears when its last byte arrives", () => {
  const ids = [...Buffer.from("🙂")].map((byte) => byteToken(byte));
  const decoder = tokenizer.streamDecoder();
  expect(ids.map((token) => decoder.push(token))).toEqual(["", "", "", "🙂"]);
});

test("what is held back at the end is flushed as one U+FFFD, and the decoder starts anew", () => {
  const decoder = tokenizer.streamDecoder();
  expect(decoder.push(byteToken(0xf0))).toBe("");
  expect(decoder.push(byteToken(0x9f))).toBe("");
  expect(decoder.flush()).toBe("\ufffd");
  expect(decoder.flush()).toBe("");
  expect(decoder.push(byteToken(0x41))).toBe("A");
});

test("a special token after half a character ends that character", () => {
  const decoder = tokenizer.streamDecoder();
  decoder.push(byteToken(0xf0));
  expect(decoder.push(tokenizer.special.end)).toBe("\ufffd<|end|>");
});

test("a byte order mark is text, not swallowed, at the start and after a flush", () => {
  const ids = tokenizer.encode("\ufeffx");
  expect(tokenizer.decode(ids)).toBe("\ufeffx");
  const decoder = tokenizer.streamDecoder();
  const stream = (): string => ids.map((token) => decoder.push(token)).join("") + decoder.flush();
  expect([stream(), stream()]).toEqual(["\ufeffx", "\ufeffx"]);
});

test("decode takes any iterable", () => {
  const ids = tokenizer.encode("one two three");
  expect(tokenizer.decode(ids.values())).toBe("one two three");
});

function byteToken(byte: number): TokenId {
  for (let token = 0; token < 256; token++) {
    if (tokenizer.bytes(token as TokenId)![0] === byte) return token as TokenId;
  }
  throw new Error(`no token for byte ${byte}`);
}
