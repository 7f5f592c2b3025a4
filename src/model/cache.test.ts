import fc from "fast-check";
import { expect, test } from "vitest";
import { createBlockPool } from "./block-pool.ts";
import { cachePlan } from "./cache.ts";
import { type CacheGroup, createSequenceCache, type SequenceCache } from "./sequence-cache.ts";
import { microConfig } from "./testing/micro-config.ts";

const tokens = (count: number): Int32Array => new Int32Array(count);

function createGroups(blocks: readonly number[], window: number): CacheGroup[] {
  return [
    { pool: createBlockPool(blocks[0]), window },
    { pool: createBlockPool(blocks[1]), window: undefined },
  ];
}

/** What a token at the sequence's next position sees must be there, in every group. */
function expectVisible(sequence: SequenceCache, window: number, blockTokens: number): void {
  const { position, blockTables } = sequence.append(tokens(0));
  for (const [group, table] of blockTables.entries()) {
    const first = group === 0 ? Math.max(0, position - window + 1) : 0;
    for (let at = first; at < position; at++) {
      expect(table[Math.floor(at / blockTokens)]).toBeGreaterThanOrEqual(0);
    }
  }
}

test("sliding layers hold the same number of blocks however long the sequence grows", () => {
  const groups = createGroups([12, 5000], 128);
  const sequence = createSequenceCache(groups, 32);
  let most = 0;
  for (let i = 0; i < 130_000; i++) {
    sequence.append(tokens(1));
    sequence.commit();
    most = Math.max(most, 12 - groups[0].pool.free);
  }
  expect(most).toBe(5); // 127 positions behind and one ahead, unaligned
  expect(5000 - groups[1].pool.free).toBe(Math.ceil(130_000 / 32));
  sequence.close();
  expect(groups.map(({ pool }) => pool.free)).toEqual([12, 5000]);
});

test("the plan suffices for whatever fits in it", () => {
  const plans = fc.record({
    window: fc.integer({ min: 1, max: 150 }),
    blockTokens: fc.constantFrom(16, 32),
    sequences: fc.integer({ min: 1, max: 5 }),
    chunkTokens: fc.integer({ min: 5, max: 200 }),
    seeds: fc.array(fc.nat(), { minLength: 40, maxLength: 40 }),
  });
  fc.assert(
    fc.property(plans, ({ window, blockTokens, sequences, chunkTokens, seeds }) => {
      const config = { ...microConfig, slidingWindow: window };
      const contextTokens = 2000;
      const plan = cachePlan(config, { contextTokens, sequences, chunkTokens, blockTokens });
      const groups = createGroups(plan.groupBlocks, window);
      const open = Array.from({ length: sequences }, () => createSequenceCache(groups, blockTokens));
      let total = 0;
      for (const seed of seeds) {
        let room = Math.min(chunkTokens, contextTokens - total);
        for (const [i, sequence] of open.entries()) {
          const count = Math.min(room, (seed >> (3 * i)) % (chunkTokens + 1));
          sequence.append(tokens(count)); // would throw model/cache-full
          total += count;
          room -= count;
        }
        for (const sequence of open) sequence.commit();
      }
    }),
    { seed: 7, numRuns: 60 },
  );
});

type Step =
  | { readonly type: "append"; readonly count: number }
  | { readonly type: "refuse"; readonly count: number }
  | { readonly type: "fork"; readonly blocks: number }
  | { readonly type: "close" };

test("random sessions never lose a block, give one away twice, or let go of a visible one", () => {
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ type: fc.constant("append" as const), count: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ type: fc.constant("refuse" as const), count: fc.integer({ min: 1, max: 8 }) }),
    fc.record({ type: fc.constant("fork" as const), blocks: fc.nat(6) }),
    fc.record({ type: fc.constant("close" as const) }),
  );
  const [window, blockTokens] = [10, 8];
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), step), { maxLength: 60 }), (steps) => {
      const groups = createGroups([20, 30], window);
      const open: SequenceCache[] = [createSequenceCache(groups, blockTokens)];
      for (const [which, action] of steps) {
        const sequence = open[which % open.length];
        switch (action.type) {
          case "append":
            if (!sequence.fits(action.count)) {
              const before = [sequence.length, groups.map(({ pool }) => pool.free)];
              const full = expect.objectContaining({ code: "model/cache-full" });
              expect(() => sequence.append(tokens(action.count))).toThrow(full);
              expect([sequence.length, groups.map(({ pool }) => pool.free)]).toEqual(before);
              break;
            }
            sequence.append(tokens(action.count));
            sequence.commit();
            break;
          case "refuse": {
            // Guesses: all are run, some are kept. The last position before them is always kept.
            if (!sequence.fits(action.count)) break;
            const before = sequence.length;
            sequence.append(tokens(action.count));
            sequence.commit(before + Math.floor(action.count / 2));
            break;
          }
          case "fork": {
            const fork = sequence.fork(
              Math.min(action.blocks, Math.floor(sequence.length / blockTokens)) * blockTokens,
            );
            if (fork !== undefined && open.length < 4) open.push(fork);
            else fork?.close();
            break;
          }
          case "close":
            sequence.close();
            break;
          default:
            action satisfies never;
        }
        for (const each of open) expectVisible(each, window, blockTokens);
        expectBlocksAccounted(open, groups);
      }
      for (const sequence of open) sequence.close();
      expect(groups.map(({ pool }) => pool.free)).toEqual([20, 30]);
    }),
    { seed: 8, numRuns: 150 },
  );
});

/** Every block is free or held; a block that two sequences hold stands at the same place in both. */
function expectBlocksAccounted(open: readonly SequenceCache[], groups: readonly CacheGroup[]): void {
  const tables = open.map((sequence) => sequence.append(tokens(0)).blockTables);
  for (const [group, { pool }] of groups.entries()) {
    const places = new Map<number, number>();
    for (const table of tables) {
      for (const [place, block] of table[group].entries()) {
        if (block < 0) continue;
        expect(places.get(block) ?? place).toBe(place);
        places.set(block, place);
        expect(pool.isShared(block)).toBe(tables.filter((other) => other[group][place] === block).length > 1);
      }
    }
    expect(places.size + pool.free).toBe(pool.size);
  }
}

test("a fork that a sliding layer can no longer serve is not given", () => {
  const groups = createGroups([20, 20], 10);
  const sequence = createSequenceCache(groups, 8);
  sequence.append(tokens(64));
  expect(sequence.fork(32)?.length).toBe(32); // before the commit everything is still there
  sequence.commit();
  expect(sequence.fork(32)).toBeUndefined();
  expect(sequence.fork(64)?.length).toBe(64);
});

test("going back into a block that a fork shares is refused, and past what the window holds", () => {
  const groups = createGroups([20, 20], 10);
  const sequence = createSequenceCache(groups, 8);
  sequence.append(tokens(40));
  sequence.commit();
  expect(sequence.fork(40)).toBeDefined();
  expect(() => sequence.commit(39)).toThrow("another sequence");
  expect(() => sequence.commit(8)).toThrow("cannot keep");
  expect(() => sequence.commit(41)).toThrow("cannot keep");
});

test("a block released twice is a bug that shows", () => {
  const pool = createBlockPool(2);
  const block = pool.take();
  pool.release(block);
  expect(() => pool.release(block)).toThrow("twice");
});
