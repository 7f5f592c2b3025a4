// One step, as four verbs: schedule, run, sample, commit. Whatever is thrown inside ends the sequences that were part of
// it, and nothing else. Never knows where sequences come from and who reads them.

import { assert } from "../base/index.ts";
import type { Model } from "../model/index.ts";
import type { FinishReason } from "./engine.ts";
import type { SequenceRoom } from "./room.ts";
import { run, type SequenceLogits, sampleRows } from "./run.ts";
import type { Scratch } from "./sampler/row.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Sequence } from "./sequence.ts";
import type { Speculator } from "./speculation/speculator.ts";
import type { StepBudget } from "./step-budget.ts";

/** Counted since the engine was made; see `EngineStatus`. */
export interface StepCounts {
  steps: number;
  computedTokens: number;
  outputTokens: number;
  acceptedGuesses: number;
  refusedGuesses: number;
}

export interface StepParts {
  readonly model: Model;
  readonly scheduler: Scheduler<Sequence>;
  readonly room: SequenceRoom;
  readonly speculator: Speculator;
  readonly budget: StepBudget;
  readonly scratch: Scratch;
  readonly counts: StepCounts;
  readonly finish: (sequence: Sequence, reason: FinishReason) => void;
  readonly fail: (sequence: Sequence, error: unknown) => void;
}

export async function step(parts: StepParts): Promise<void> {
  const { model, scheduler, room, speculator, budget, counts, fail } = parts;
  const chunks = scheduler.schedule(budget.tokens).map(({ sequence }) => sequence);
  assert(chunks.length > 0 || !scheduler.hasWork, "there is work, and nobody may run");
  if (chunks.length === 0) return;
  try {
    for (const sequence of chunks) sequence.guesses = [];
    const isDecoding = chunks.every(({ chunk, pending }) => pending === 0 && chunk!.tokens.length === 1);
    if (isDecoding) guess(chunks, parts);
    const rows = sum(chunks, ({ chunk }) => chunk!.tokens.length);
    const start = performance.now();
    const logits = await run(chunks, model, room.kv);
    const milliseconds = performance.now() - start;
    budget.observe(rows, milliseconds);
    if (isDecoding) {
      const guessed = sum(chunks, ({ guesses }) => guesses.length);
      speculator.observe(rows, guessed, milliseconds);
    }
    counts.computedTokens += rows;
    for (const one of logits) sampleAndCommit(one, parts);
  } catch (error) {
    for (const sequence of chunks) fail(sequence, error);
  } finally {
    counts.steps++;
  }
}

/** Rows that cost little are filled with what may come next. */
function guess(chunks: readonly Sequence[], { room, speculator }: StepParts): void {
  for (const [index, guesses] of speculator.guess(chunks).entries()) {
    const sequence = chunks[index];
    const { stopTokens } = sequence.job;
    const end = guesses.findIndex((token) => stopTokens.has(token)); // nothing is sampled after it
    room.guess(sequence, end < 0 ? guesses : guesses.slice(0, end));
  }
}

/** What cannot be sampled fails alone. */
function sampleAndCommit(one: SequenceLogits, { room, scratch, counts, finish, fail }: StepParts): void {
  const { sequence, rows } = one;
  if (sequence.isOver) return; // it left while the step ran
  try {
    const { count, reason } = sampleRows(one, scratch);
    const { guesses, guesser } = sequence;
    const refused = rows.length - count;
    counts.outputTokens += count;
    counts.acceptedGuesses += guesses.length - refused;
    counts.refusedGuesses += refused;
    if (guesses.length > 0) guesser.learn(guesses.length, guesses.length - refused);
    room.commit(sequence, refused);
    if (reason !== undefined) finish(sequence, reason);
  } catch (error) {
    fail(sequence, error);
  }
}

const sum = (chunks: readonly Sequence[], of: (sequence: Sequence) => number): number =>
  chunks.reduce((total, sequence) => total + of(sequence), 0);
