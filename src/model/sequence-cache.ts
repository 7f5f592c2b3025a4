// Which blocks hold the keys and values of one sequence, by group. Sliding groups let go of blocks behind the window,
// so their memory does not grow with the sequence. Knows token counts and block ids, never tensors.

import type { BatchSequence } from "../backend/index.ts";
import { assert } from "../base/index.ts";
import { type BlockPool, cacheFull } from "./block-pool.ts";

/** Layers that share block tables. */
export interface CacheGroup {
  readonly pool: BlockPool;
  /** Positions that these layers see, own included; `undefined` sees all. */
  readonly window: number | undefined;
}

/** A step is `append`, forward, `commit`. */
export interface SequenceCache {
  /** Positions that are in the cache, or will be after the forward pass of what was appended. */
  readonly length: number;
  /** True when `append` of so many tokens finds its blocks. */
  fits(count: number): boolean;
  /**
   * Takes blocks for the tokens and gives what a batch needs to run them. Throws `model/cache-full` and changes
   * nothing when there are too few.
   */
  append(tokens: Int32Array): BatchSequence;
  /**
   * Call after the forward pass. Keeps `length` positions (fewer than appended where guesses were refused) and lets go
   * of what no later position can see. Going back further than the last step works only as far as the window reaches.
   */
  commit(length?: number): void;
  /**
   * A second sequence with the same first `length` positions, in the same blocks. `length` is a multiple of the
   * block's size; `undefined` when a sliding layer has already let go of what such a sequence must see.
   */
  fork(length: number): SequenceCache | undefined;
  /** Lets go of all blocks. */
  close(): void;
}

export function createSequenceCache(groups: readonly CacheGroup[], blockTokens: number): SequenceCache {
  return sequenceCache(groups, blockTokens, { tables: groups.map(() => []), length: 0 });
}

interface State {
  /** By group: the block of each run of `blockTokens` positions, -1 where it was released. */
  readonly tables: readonly number[][];
  readonly length: number;
}

function sequenceCache(groups: readonly CacheGroup[], blockTokens: number, start: State): SequenceCache {
  const { tables } = start;
  let length = start.length;

  const blocksFor = (positions: number): number => Math.ceil(positions / blockTokens);
  /** The first block that a token at `position` sees. */
  const firstBlock = ({ window }: CacheGroup, position: number): number =>
    window === undefined ? 0 : Math.floor(Math.max(0, position - window + 1) / blockTokens);
  const missing = (group: number, count: number): number =>
    Math.max(0, blocksFor(length + count) - tables[group].length);
  /** Whether the blocks that a sequence of `end` positions still needs are all there. */
  const reaches = (end: number): boolean =>
    groups.every((group, g) => !tables[g].slice(firstBlock(group, end), blocksFor(end)).includes(-1));
  const release = (pool: BlockPool, block: number | undefined): void => {
    if (block !== undefined && block >= 0) pool.release(block);
  };

  return {
    get length() {
      return length;
    },
    fits: (count) => groups.every(({ pool }, g) => pool.free >= missing(g, count)),
    append(tokens) {
      for (const [g, { pool }] of groups.entries()) {
        const wanted = missing(g, tokens.length);
        if (wanted > pool.free) throw cacheFull(wanted, pool);
      }
      const position = length;
      length += tokens.length;
      for (const [g, { pool }] of groups.entries()) {
        while (tables[g].length < blocksFor(length)) tables[g].push(pool.take());
      }
      // Copies: the tables change while a backend may still be working on this batch.
      return { tokens, position, blockTables: tables.map((table) => Int32Array.from(table)) };
    },
    commit(kept = length) {
      assert(kept >= 0 && kept <= length && reaches(kept), `cannot keep ${kept} of ${length} positions`);
      for (const [g, group] of groups.entries()) {
        const table = tables[g];
        while (table.length > blocksFor(kept)) release(group.pool, table.pop());
        const tail = table.at(-1);
        const isTailWritable = kept % blockTokens === 0 || tail === undefined || !group.pool.isShared(tail);
        assert(isTailWritable, `position ${kept} lies in a block that another sequence holds`);
        for (let block = firstBlock(group, kept) - 1; block >= 0 && table[block] >= 0; block--) {
          release(group.pool, table[block]);
          table[block] = -1;
        }
      }
      length = kept;
    },
    fork(end) {
      assert(end % blockTokens === 0 && end <= length, `cannot fork ${length} positions at ${end}`);
      if (!reaches(end)) return undefined;
      const shared = groups.map((group, g) =>
        Array.from({ length: blocksFor(end) }, (_, block) =>
          block < firstBlock(group, end) ? -1 : tables[g][block],
        ),
      );
      for (const [g, { pool }] of groups.entries()) {
        for (const block of shared[g]) if (block >= 0) pool.share(block);
      }
      return sequenceCache(groups, blockTokens, { tables: shared, length: end });
    },
    close() {
      for (const [g, { pool }] of groups.entries()) {
        for (const block of tables[g].splice(0)) release(pool, block);
      }
      length = 0;
    },
  };
}
