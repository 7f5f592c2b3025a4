// Damaged GGUF files: whatever is wrong, opening and reading gives bytes of the right length or a coded error, and soon.

import { expect, test } from "vitest";
import { type ErrorCode, GptOssError, random } from "../../base/index.ts";
import { bytesSource, inventory } from "../index.ts";
import { ggufBytes, openGgufBytes, tinyGguf } from "../testing/tiny-gguf.ts";
import { readGgufHeader } from "./header.ts";

const expectedCodes: readonly ErrorCode[] = [
  "checkpoint/bad-config",
  "checkpoint/bad-header",
  "checkpoint/bad-tensor",
  "checkpoint/truncated",
  "checkpoint/missing-tensor",
  "checkpoint/wrong-dtype",
  "checkpoint/wrong-shape",
];
/** Seldom: a flipped bit must make one key another that matters. */
const rareCodes: readonly ErrorCode[] = ["checkpoint/missing-shard"];

const hostileNumbers = [
  0n,
  1n,
  31n,
  2n ** 16n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

test("fuzz: damaged files, by bytes and by the numbers in their headers", async () => {
  const intact = ggufBytes(await tinyGguf());
  const headerLength = (await readGgufHeader(bytesSource("tiny.gguf", intact))).tensors[0].offset;
  const { uint32 } = random(7);
  const below = (count: number): number => uint32() % count;
  const outcomes = new Map<string, number>();

  const damage = (): Uint8Array => {
    const bytes = intact.slice();
    const view = new DataView(bytes.buffer);
    switch (below(5)) {
      case 0:
        for (let flips = below(4) + 1; flips > 0; flips--) bytes[below(headerLength)] = uint32();
        return bytes;
      case 1:
        bytes[below(headerLength)] ^= 1 << below(8);
        return bytes;
      case 2:
        return bytes.slice(0, below(bytes.length + 1));
      case 3: {
        const at = below(headerLength);
        return new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + below(64))]));
      }
      default: {
        // At a place that looks like a 64-bit number: lengths, counts, sizes and offsets are small.
        let at = below(headerLength);
        while (view.getUint32(at + 4, true) !== 0 && at < headerLength) at++;
        view.setBigUint64(at, hostileNumbers[below(hostileNumbers.length)], true);
        return bytes;
      }
    }
  };

  for (let round = 0; round < 6000; round++) {
    let outcome: string;
    try {
      const model = await openGgufBytes([damage()]);
      for (const { name, shape } of inventory(model.config)) {
        const view = model.tensor(name);
        expect(view.shape).toEqual(shape);
        if (round % 10 === 0) expect((await view.read()).length).toBe(view.byteLength);
      }
      if (round % 10 === 0) expect(model.vocabulary?.tokens.length).toBe(model.config.vocabularySize);
      outcome = "opened";
    } catch (error) {
      if (!GptOssError.isInstance(error)) throw error;
      expect([...expectedCodes, ...rareCodes]).toContain(error.code);
      expect(error.message.length).toBeLessThan(1000);
      outcome = error.code;
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  // Otherwise the damage reaches only the outermost checks.
  for (const outcome of ["opened", ...expectedCodes])
    expect([outcome, outcomes.get(outcome) ?? 0]).not.toEqual([outcome, 0]);
});
