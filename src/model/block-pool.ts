import { assert, GptOssError } from "../base/index.ts";

/** The cache blocks of one group. A block may belong to several sequences; it is free when the last one lets go. */
export interface BlockPool {
  readonly size: number;
  /** Blocks that nobody holds. */
  readonly free: number;
  /** Throws `model/cache-full` when there is none. */
  take(): number;
  /** One more sequence holds the block. */
  share(block: number): void;
  isShared(block: number): boolean;
  release(block: number): void;
}

export function createBlockPool(size: number): BlockPool {
  const holders = new Int32Array(size);
  const free = Array.from({ length: size }, (_, i) => size - 1 - i);
  return {
    size,
    get free() {
      return free.length;
    },
    take() {
      const block = free.pop();
      if (block === undefined) throw cacheFull(1, { free: 0, size });
      holders[block] = 1;
      return block;
    },
    share(block) {
      assert(holders[block] > 0, `block ${block} is free and cannot be shared`);
      holders[block]++;
    },
    isShared: (block) => holders[block] > 1,
    release(block) {
      assert(holders[block] > 0, `block ${block} was released twice`);
      if (--holders[block] === 0) free.push(block);
    },
  };
}

export function cacheFull(
  wanted: number,
  pool: { readonly free: number; readonly size: number },
): GptOssError {
  return new GptOssError("model/cache-full", {
    message: `${wanted} more blocks of the key-value cache are needed, ${pool.free} of ${pool.size} are free`,
    hint: "close a sequence, or create the model's cache for more tokens",
  });
}
