// Where running sequences live: places in the key-value cache, and the starts of sequences that are kept there for
// later ones. Knows which starts are worth keeping:
//   - the prompt: the next turn repeats it, and often drops the reasoning that followed;
//   - the whole sequence: a tool's result continues exactly there;
//   - where a new prompt leaves the path of an earlier one: a start that came twice, such as a system message, will
//     come again.
// All at multiples of the block size, because blocks are what is shared.

import type { KvCacheSpec } from "../backend/index.ts";
import { assert } from "../base/index.ts";
import type { Model } from "../model/index.ts";
import type { EnginePlan } from "./plan.ts";
import { createPrefixCache } from "./prefix-cache.ts";
import type { Room } from "./scheduler.ts";
import type { Sequence } from "./sequence.ts";

export interface SequenceRoom extends Room<Sequence> {
  readonly kv: ReturnType<Model["createCache"]>["kv"];
  /** By group. */
  readonly freeBlocks: readonly number[];
  readonly prefixes: number;
  /** The guesses run too, after what was taken, unless there is no room for them without taking somebody else's. */
  guess(sequence: Sequence, guesses: readonly number[]): void;
  /** After the forward pass of what was taken; the last `refused` guesses were wrong. */
  commit(sequence: Sequence, refused: number): void;
  /** The sequence is over: its place is free, its start is kept. */
  leave(sequence: Sequence): void;
  /** Something went wrong with the sequence: no start that is kept, nor its own, is to be continued. */
  forget(sequence: Sequence): void;
  close(): void;
}

export function createRoom(model: Model, spec: KvCacheSpec, plan: EnginePlan): SequenceRoom {
  const { blockTokens, maxPrefixes } = plan;
  const cache = model.createCache(spec);
  const prefixes = createPrefixCache(maxPrefixes, blockTokens);
  const inside = new Set<Sequence>();
  const wholeBlocks = (length: number): number => Math.floor(length / blockTokens) * blockTokens;

  function keep(sequence: Sequence, length: number): void {
    const fork = sequence.cache?.fork(length);
    if (fork !== undefined) prefixes.keep({ source: sequence, length, cache: fork });
  }

  /** The output so far, held by the sequence alone until it is over: others' starts should not make way for it. */
  function followTail(sequence: Sequence, length: number): void {
    dropTail(sequence);
    const fork = sequence.cache?.fork(length);
    sequence.tail = fork && { source: sequence, length, cache: fork };
  }

  function evict(sequence: Sequence): void {
    inside.delete(sequence);
    dropTail(sequence);
    sequence.cache?.close();
    sequence.cache = undefined;
  }

  function dropTail(sequence: Sequence): void {
    sequence.tail?.cache.close();
    sequence.tail = undefined;
  }

  return {
    kv: cache.kv,
    get freeBlocks() {
      return cache.freeBlocks;
    },
    get prefixes() {
      return prefixes.size;
    },
    open(sequence) {
      inside.add(sequence);
      const { usage } = sequence;
      const { cache: found, common } = prefixes.find(sequence);
      sequence.cache = found ?? cache.open();
      const { length } = sequence.cache;
      sequence.cachedTokens ??= Math.min(length, usage.promptTokens);
      // One token less than the prompt, so that the same prompt finds it too.
      const worthKeeping = [wholeBlocks(usage.promptTokens - 1), common];
      sequence.keepAt = maxPrefixes > 0 ? worthKeeping.filter((at) => at > length) : [];
    },
    take(sequence, count) {
      const place = sequence.cache;
      assert(place !== undefined, "a sequence that waits cannot take room");
      while (!place.fits(count)) if (!prefixes.evict()) return false;
      const start = place.length;
      sequence.chunk = place.append(Int32Array.from(sequence.tokens.slice(start, start + count)));
      return true;
    },
    guess(sequence, guesses) {
      const { cache: place, chunk } = sequence;
      assert(place !== undefined && chunk !== undefined, "guesses follow what was taken");
      if (guesses.length === 0 || !place.fits(guesses.length)) return;
      const { blockTables } = place.append(Int32Array.from(guesses));
      sequence.chunk = { ...chunk, tokens: Int32Array.of(...chunk.tokens, ...guesses), blockTables };
      sequence.guesses = guesses;
    },
    commit(sequence, refused) {
      const { cache: place, chunk } = sequence;
      assert(place !== undefined && chunk !== undefined, "a sequence that did not run has nothing to commit");
      const length = place.length - refused;
      // Before sliding layers let go of what lies behind the window.
      for (const at of sequence.keepAt) if (at <= length) keep(sequence, at);
      sequence.keepAt = sequence.keepAt.filter((at) => at > length);
      const end = wholeBlocks(length);
      const isOutput = end > sequence.usage.promptTokens && end > chunk.position;
      if (isOutput && maxPrefixes > 0) followTail(sequence, end);
      place.commit(length);
      sequence.chunk = undefined;
    },
    evict,
    isWorthWaiting(sequence) {
      // Hashes are enough: to wait in vain, once in 2³², does no harm.
      const isShared = (other: Sequence, length: number): boolean =>
        length < sequence.tokens.length && other.hashAt(length) === sequence.hashAt(length);
      // Several answers to one prompt: the prompt runs once.
      return [...inside].some((other) => !other.isPaused && other.keepAt.some((at) => isShared(other, at)));
    },
    leave(sequence) {
      if (sequence.tail !== undefined) prefixes.keep(sequence.tail);
      sequence.tail = undefined;
      evict(sequence);
    },
    forget(sequence) {
      dropTail(sequence);
      while (prefixes.evict());
    },
    close() {
      while (prefixes.evict());
      cache.close();
    },
  };
}
