import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createScheduler, deal, type Room, type SchedulerLimits } from "./scheduler.ts";

interface Plain {
  readonly arrival: number;
  length: number;
  /** In the cache. */
  held: number;
  readonly pending: number;
  isPaused: boolean;
}

function sequence(arrival: number, length: number): Plain {
  return {
    arrival,
    length,
    held: 0,
    get pending() {
      return this.length - this.held;
    },
    isPaused: false,
  };
}

/** A ledger of blocks. */
function plainRoom({
  blocks,
  blockTokens,
}: Pick<SchedulerLimits, "blocks" | "blockTokens">): Room<Plain> & { free: number } {
  const blocksOf = (tokens: number): number => Math.ceil(tokens / blockTokens);
  return {
    free: blocks,
    open() {},
    isWorthWaiting: () => false,
    take(sequence, count) {
      const wanted = blocksOf(sequence.held + count) - blocksOf(sequence.held);
      if (wanted > this.free) return false;
      this.free -= wanted;
      sequence.held += count;
      return true;
    },
    evict(sequence) {
      this.free += blocksOf(sequence.held);
      sequence.held = 0;
    },
  };
}

function setUp(limits: Partial<SchedulerLimits> = {}) {
  const all = { maxSequences: 4, stepTokens: 16, blocks: 100, blockTokens: 4, ...limits };
  const room = plainRoom(all);
  return { room, scheduler: createScheduler<Plain>(all, room) };
}

/** What one step gives to whom. */
const summary = (grants: readonly { sequence: Plain; count: number }[]): number[][] =>
  grants.map(({ sequence, count }) => [sequence.arrival, count]);

describe("dealing a step's tokens", () => {
  test("those who need little get it, the others share the rest", () => {
    expect(deal([1, 100, 1, 100], 16)).toEqual([1, 7, 1, 7]);
    expect(deal([100], 16)).toEqual([16]);
    expect(deal([3, 4], 16)).toEqual([3, 4]);
    expect(deal([], 16)).toEqual([]);
  });

  test("nobody gets less than another without needing less, and nothing that is needed is left over", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 20 }),
        fc.integer({ min: 20, max: 600 }),
        (needs, budget) => {
          const shares = deal(needs, budget);
          const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
          expect(sum(shares)).toBe(Math.min(budget, sum(needs)));
          for (const [i, share] of shares.entries()) {
            expect(share).toBeGreaterThanOrEqual(1);
            expect(share).toBeLessThanOrEqual(needs[i]);
            if (share < needs[i]) expect(share).toBeGreaterThanOrEqual(Math.max(...shares) - 1);
          }
        },
      ),
      { seed: 1, numRuns: 500 },
    );
  });
});

describe("taking turns", () => {
  test("a long prompt does not stop anybody's tokens", () => {
    const { scheduler } = setUp();
    const decoding = sequence(0, 5);
    scheduler.add(decoding);
    scheduler.schedule();
    scheduler.add(sequence(1, 60));
    for (let step = 0; step < 4; step++) {
      decoding.length++;
      expect(summary(scheduler.schedule())).toEqual([
        [0, 1],
        [1, 15],
      ]);
    }
  });

  test("a short prompt does not wait for a long one that came first", () => {
    const { scheduler } = setUp();
    scheduler.add(sequence(0, 200));
    scheduler.add(sequence(1, 8));
    expect(summary(scheduler.schedule())).toEqual([
      [0, 8],
      [1, 8],
    ]);
  });

  test("places are given in order of arrival: nobody passes a long prompt that waits for room", () => {
    const { scheduler } = setUp({ blocks: 10 });
    scheduler.add(sequence(0, 15));
    scheduler.add(sequence(1, 30));
    scheduler.add(sequence(2, 2));
    expect(summary(scheduler.schedule())).toEqual([[0, 15]]);
    expect(scheduler.waiting.map(({ arrival }) => arrival)).toEqual([1, 2]);
  });
});

describe("a full cache", () => {
  test("the last to come gives up its place, and comes back before those who came after it", () => {
    const { scheduler, room } = setUp({ blocks: 4 });
    const [first, second] = [sequence(0, 7), sequence(1, 7)];
    scheduler.add(first);
    scheduler.add(second);
    scheduler.schedule();
    expect(room.free).toBe(0);
    scheduler.add(sequence(2, 1));
    first.length = 9;
    second.length = 8;
    expect(summary(scheduler.schedule())).toEqual([[0, 2]]);
    expect(scheduler.waiting).toEqual([second, expect.objectContaining({ arrival: 2 })]);
    expect(second.held).toBe(0);
    expect(scheduler.preemptions).toBe(1);
    room.evict(first);
    scheduler.remove(first);
    expect(summary(scheduler.schedule())).toEqual([
      [1, 8],
      [2, 1],
    ]);
  });

  test("whose consumer does not read gives way first, even if it came first", () => {
    const { scheduler } = setUp({ blocks: 4 });
    const [idle, busy] = [sequence(0, 7), sequence(1, 7)];
    scheduler.add(idle);
    scheduler.add(busy);
    scheduler.schedule();
    idle.isPaused = true;
    idle.length++;
    busy.length = 9;
    expect(summary(scheduler.schedule())).toEqual([[1, 2]]);
    expect(scheduler.waiting).toEqual([idle]);
  });

  test("whose consumer does not read keeps no place that others wait for", () => {
    const { scheduler } = setUp({ maxSequences: 1 });
    const idle = sequence(0, 7);
    scheduler.add(idle);
    scheduler.schedule();
    idle.isPaused = true;
    expect(scheduler.hasWork).toBe(false);
    const next = sequence(1, 3);
    scheduler.add(next);
    expect(summary(scheduler.schedule())).toEqual([[1, 3]]);
    idle.isPaused = false;
    next.length++;
    expect(summary(scheduler.schedule())).toEqual([[1, 1]]); // reading again, it waits for its turn
    scheduler.remove(next);
    expect(summary(scheduler.schedule())).toEqual([[0, 7]]);
  });
});

describe("any load", () => {
  const loads = fc.record({
    jobs: fc.array(
      fc.record({
        arrival: fc.integer({ min: 0, max: 60 }),
        prompt: fc.integer({ min: 1, max: 60 }),
        output: fc.integer({ min: 1, max: 30 }),
      }),
      { minLength: 1, maxLength: 15 },
    ),
    blocks: fc.integer({ min: 23, max: 60 }), // 90 tokens fit alone
    maxSequences: fc.integer({ min: 1, max: 6 }),
    stepTokens: fc.integer({ min: 6, max: 64 }),
  });

  test("everybody finishes, in bounded time, and the first to come is never stopped", () => {
    fc.assert(
      fc.property(loads, ({ jobs, ...limits }) => {
        const { scheduler, room } = setUp(limits);
        const ordered = jobs.toSorted((a, b) => a.arrival - b.arrival);
        const outputs = new Map(ordered.map((job, i) => [sequence(i, job.prompt), job]));
        const arriving = [...outputs];
        let work = 0;
        for (let step = 0; arriving.length > 0 || scheduler.hasWork; step++) {
          while (arriving[0]?.[1].arrival <= step) scheduler.add(arriving.shift()![0]);
          const oldest = [...scheduler.running, ...scheduler.waiting].sort(
            (a, b) => a.arrival - b.arrival,
          )[0];
          const held = oldest?.held;
          const grants = scheduler.schedule();
          if (oldest !== undefined) expect(oldest.held).toBeGreaterThan(held);
          const tokens = grants.reduce((sum, { count }) => sum + count, 0);
          expect(tokens).toBeLessThanOrEqual(limits.stepTokens);
          expect(scheduler.running.length).toBeLessThanOrEqual(limits.maxSequences);
          // Nobody who has a place is left out.
          expect(grants.map(({ sequence }) => sequence)).toEqual(scheduler.running);
          for (const { sequence } of grants) {
            if (sequence.pending > 0) continue;
            sequence.length++;
            work++;
            const job = outputs.get(sequence)!;
            if (sequence.length < job.prompt + job.output) continue;
            room.evict(sequence);
            scheduler.remove(sequence);
          }
          // The oldest alone needs at most so many steps, and there is always an oldest.
          expect(step).toBeLessThan(
            61 + jobs.length * (30 + Math.ceil((90 * limits.maxSequences) / limits.stepTokens) * 2),
          );
        }
        expect(work).toBe(jobs.reduce((sum, { output }) => sum + output, 0));
        expect(room.free).toBe(limits.blocks);
      }),
      { seed: 20261120, numRuns: 150 },
    );
  });
});
