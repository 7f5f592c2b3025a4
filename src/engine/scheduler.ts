// Who runs in the next step, and with how many tokens. Three rules:
//   - first come, first served: whoever waits longest is admitted next, and nobody passes it;
//   - a step's tokens are dealt evenly: whoever needs one (decoding) gets one, long prompts share what is left, so that
//     nobody's prompt stops anybody's tokens; where both share a step, it is as short as a moment (step-budget.ts);
//   - when the cache is full, the one who came last gives up its place and runs again later. Whoever came first is
//     never stopped, so everybody finishes. Those whose consumer does not read give way before all others.
// Knows token counts, never tokens, tensors or blocks' contents; `Room` says what fits.

import { assert } from "../base/index.ts";

/** What the scheduler sees of a sequence. */
export interface Schedulable {
  /** Smaller came earlier. */
  readonly arrival: number;
  /** All tokens it consists of so far. */
  readonly length: number;
  /** Those that are not in the cache yet, at least one. */
  readonly pending: number;
  /** Its consumer does not read: it gets no turn. */
  readonly isPaused: boolean;
}

/** Where sequences live while they run. */
export interface Room<S> {
  /** Gives the sequence a place; some of its tokens may be there already. */
  open(sequence: S): void;
  /** Takes room for that many more tokens of it; false, and nothing is taken, when there is none. */
  take(sequence: S, count: number): boolean;
  /** Gives back all that it has. */
  evict(sequence: S): void;
  /** Whether somebody who runs now is about to leave a start behind that this sequence would otherwise run again. */
  isWorthWaiting(sequence: S): boolean;
}

export interface SchedulerLimits {
  /** Sequences that run at once. */
  readonly maxSequences: number;
  /** Tokens in one step; at least `maxSequences`. */
  readonly stepTokens: number;
  /** What the room holds in all; the longest sequence must fit alone. */
  readonly blocks: number;
  readonly blockTokens: number;
}

/** So many tokens of this sequence run in this step; room for them is taken. */
export interface Grant<S> {
  readonly sequence: S;
  readonly count: number;
}

export interface Scheduler<S> {
  /** By arrival. */
  readonly waiting: readonly S[];
  /** By arrival. */
  readonly running: readonly S[];
  /** How often a sequence lost its place. */
  readonly preemptions: number;
  /** Whether `schedule` would find something to run. */
  readonly hasWork: boolean;
  add(sequence: S): void;
  /** Forgets the sequence, wherever it is; its room is the caller's business. */
  remove(sequence: S): void;
  /** Where prompts and answers share the step, it has at most `sharedTokens`. */
  schedule(sharedTokens?: number): Grant<S>[];
}

export function createScheduler<S extends Schedulable>(limits: SchedulerLimits, room: Room<S>): Scheduler<S> {
  const { maxSequences, stepTokens, blocks, blockTokens } = limits;
  assert(stepTokens >= maxSequences, `${stepTokens} tokens a step are too few for ${maxSequences} sequences`);
  const waiting: S[] = [];
  const running: S[] = [];
  let preemptions = 0;

  /** What it holds once its next token is there. */
  const blocksOf = (sequence: S): number => Math.ceil((sequence.length + 1) / blockTokens);

  function hasPlaceFor(sequence: S): boolean {
    const held = running.reduce((sum, other) => sum + blocksOf(other), 0);
    // A sequence that grows into its last block is alone by then, so the first one always has a place.
    return running.length === 0 || (running.length < maxSequences && held + blocksOf(sequence) <= blocks);
  }

  function preempt(sequence: S): void {
    preemptions++;
    room.evict(sequence);
    removeFrom(running, sequence);
    insertByArrival(waiting, sequence);
  }

  function admit(): void {
    for (;;) {
      const next = waiting.find((sequence) => isReady(sequence) && !room.isWorthWaiting(sequence));
      if (next === undefined) return;
      if (hasPlaceFor(next)) {
        removeFrom(waiting, next);
        insertByArrival(running, next);
        room.open(next);
        continue;
      }
      const idle = running.findLast((sequence) => sequence.isPaused);
      if (idle === undefined) return;
      preempt(idle);
    }
  }

  /** Takes room, from those who came later if need be; false when it was itself the last to come. */
  function takeRoom(sequence: S, count: number): boolean {
    while (!room.take(sequence, count)) {
      const victim = running.findLast((other) => other.isPaused) ?? running[running.length - 1];
      assert(running.length > 1, `a sequence of ${sequence.length} tokens does not fit an empty cache`);
      preempt(victim);
      if (victim === sequence) return false;
    }
    return true;
  }

  return {
    waiting,
    running,
    get preemptions() {
      return preemptions;
    },
    get hasWork() {
      return running.some(isReady) || waiting.some(isReady);
    },
    add: (sequence) => insertByArrival(waiting, sequence),
    remove(sequence) {
      removeFrom(waiting, sequence);
      removeFrom(running, sequence);
    },
    schedule(sharedTokens = stepTokens) {
      admit();
      const ready = running.filter(isReady);
      const isAnswering = ready.some(({ pending }) => pending === 1);
      const shares = deal(
        ready.map(({ pending }) => pending),
        isAnswering ? sharedTokens : stepTokens,
      );
      const grants: Grant<S>[] = [];
      for (const [index, sequence] of ready.entries()) {
        const count = shares[index];
        // An older one may have taken its place by now.
        if (running.includes(sequence) && takeRoom(sequence, count)) grants.push({ sequence, count });
      }
      return grants;
    },
  };
}

const isReady = (sequence: Schedulable): boolean => !sequence.isPaused;

/** Splits `budget` as evenly as the needs allow: nobody gets less than another unless it needs no more. */
export function deal(needs: readonly number[], budget: number): number[] {
  const shares = needs.map(() => 0);
  let left = budget;
  const byNeed = [...needs.keys()].sort((a, b) => needs[a] - needs[b] || a - b);
  for (const [served, index] of byNeed.entries()) {
    shares[index] = Math.min(needs[index], Math.floor(left / (byNeed.length - served)));
    left -= shares[index];
  }
  return shares;
}

function insertByArrival<S extends Schedulable>(list: S[], sequence: S): void {
  const later = list.findIndex(({ arrival }) => arrival > sequence.arrival);
  list.splice(later < 0 ? list.length : later, 0, sequence);
}

function removeFrom<S>(list: S[], sequence: S): void {
  const index = list.indexOf(sequence);
  if (index >= 0) list.splice(index, 1);
}
