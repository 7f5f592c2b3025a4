// The engine: requests become sequences, and as long as there are any, steps run. A step is four verbs: schedule, run,
// sample, commit. Whatever is thrown inside one ends the requests that were part of it, and nothing else.
// Never knows what a token means, nor which backend computes.

import { assert, GptOssError } from "../base/index.ts";
import type { Model } from "../model/index.ts";
import type { Engine, FinishReason, GenerateEvent, GenerateRequest } from "./engine.ts";
import { createEventStream, type EventStream } from "./event-stream.ts";
import { type EngineOptions, type EnginePlan, planEngine } from "./plan.ts";
import { parseRequest } from "./request.ts";
import { createRoom } from "./room.ts";
import { run, sample } from "./run.ts";
import { createScratch } from "./sampler/row.ts";
import type { Sampled } from "./sampler/sampler.ts";
import { createScheduler } from "./scheduler.ts";
import { createSequence, type Sequence } from "./sequence.ts";
import { yieldToEvents } from "./yield-to-events.ts";

/** What is going on now; all zero but `steps` and `preemptions` when nothing runs and no prefix is kept. */
export interface EngineStatus {
  readonly running: number;
  readonly waiting: number;
  /** Starts of earlier sequences that can be continued. */
  readonly prefixes: number;
  /** Cache blocks that somebody holds, by group. */
  readonly heldBlocks: readonly number[];
  /** Since the engine was made. */
  readonly steps: number;
  /** How often a sequence lost its place, and had to run again, since the engine was made. */
  readonly preemptions: number;
}

/** An engine in this thread. */
export interface LocalEngine extends Engine {
  readonly plan: EnginePlan;
  status(): EngineStatus;
}

/**
 * Allocates the key-value cache. The model stays the caller's: closing the engine leaves it as it was.
 * Throws `engine/bad-option`, `backend/out-of-memory`.
 *
 * @example
 * const engine = createEngine(model, { cacheTokens: 32_768 });
 * for await (const event of engine.generate({ tokens, stopTokens })) if (event.type === "token") use(event.token);
 */
export function createEngine(model: Model, options: EngineOptions = {}): LocalEngine {
  const { plan, spec } = planEngine(model, options);
  const { contextLength, maxSequences, maxWaiting, stepTokens, blockTokens } = plan;
  const { vocabularySize } = model.config;
  const room = createRoom(model, spec, plan);
  const blocks = Math.max(...spec.groupBlocks);
  const scheduler = createScheduler<Sequence>({ maxSequences, stepTokens, blocks, blockTokens }, room);
  const scratch = createScratch(vocabularySize);
  let arrivals = 0;
  let steps = 0;
  let closing: Promise<void> | undefined;
  let isWorking = false;
  let work: Promise<void> = Promise.resolve();

  function submit(request: GenerateRequest, stream: EventStream<GenerateEvent>): Sequence {
    if (closing !== undefined) throw closed();
    const job = parseRequest(request, { vocabularySize, contextLength });
    const inside = scheduler.waiting.length + scheduler.running.length;
    if (inside >= maxSequences + maxWaiting) throw overloaded(inside);
    const sequence = createSequence(job, arrivals++, stream);
    const { signal } = job;
    const abort = (): void => finish(sequence, "aborted");
    signal?.addEventListener("abort", abort);
    sequence.onOver = () => signal?.removeEventListener("abort", abort);
    scheduler.add(sequence);
    if (signal?.aborted) abort();
    wake();
    return sequence;
  }

  function wake(): void {
    if (isWorking || !scheduler.hasWork) return;
    isWorking = true;
    work = runSteps();
  }

  async function runSteps(): Promise<void> {
    while (scheduler.hasWork) {
      await yieldToEvents(); // requests arrive and leave, consumers read
      try {
        await step();
      } catch (error) {
        for (const sequence of [...scheduler.running, ...scheduler.waiting]) fail(sequence, error);
      }
    }
    isWorking = false;
  }

  async function step(): Promise<void> {
    const chunks = scheduler.schedule().map(({ sequence }) => sequence);
    assert(chunks.length > 0 || !scheduler.hasWork, "there is work, and nobody may run");
    if (chunks.length === 0) return;
    try {
      const rows = await run(chunks, model, room.kv);
      const sampled = sample(rows, scratch, fail);
      for (const sequence of chunks) commit(sequence, sampled.get(sequence));
    } catch (error) {
      for (const sequence of chunks) fail(sequence, error);
    } finally {
      steps++;
    }
  }

  function commit(sequence: Sequence, sampled: Sampled | undefined): void {
    if (sequence.isOver) return;
    room.commit(sequence);
    const reason = sampled && sequence.accept(sampled);
    if (reason !== undefined) finish(sequence, reason);
  }

  /** Its place is free at once, though a step may be running with it: places are taken between steps only. */
  function end(sequence: Sequence): boolean {
    if (sequence.isOver) return false;
    sequence.isOver = true;
    sequence.onOver();
    scheduler.remove(sequence);
    room.leave(sequence);
    return true;
  }

  function finish(sequence: Sequence, reason: FinishReason): void {
    if (!end(sequence)) return;
    sequence.stream.push({ type: "end", reason, usage: sequence.usage });
    sequence.stream.end();
  }

  function fail(sequence: Sequence, error: unknown): void {
    room.forget(sequence);
    if (end(sequence)) sequence.stream.fail(error);
  }

  async function endAll(): Promise<void> {
    for (const sequence of [...scheduler.running, ...scheduler.waiting]) fail(sequence, closed());
    await work;
    room.close();
  }

  return {
    contextLength,
    vocabularySize,
    plan,
    generate(request) {
      let sequence: Sequence | undefined;
      const stream = createEventStream<GenerateEvent>({
        limit: plan.maxUnread,
        onStart: () => {
          sequence = submit(request, stream);
        },
        onRoom: wake,
        onLeave: () => sequence && end(sequence),
      });
      return stream;
    },
    status: () => ({
      running: scheduler.running.length,
      waiting: scheduler.waiting.length,
      prefixes: room.prefixes,
      heldBlocks: room.freeBlocks.map((free, group) => spec.groupBlocks[group] - free),
      steps,
      preemptions: scheduler.preemptions,
    }),
    close: () => (closing ??= endAll()),
  };
}

function overloaded(inside: number): GptOssError {
  return new GptOssError("engine/overloaded", {
    message: `${inside} requests are running or waiting, which is as many as this engine takes`,
    hint: "try again later, or make the engine with a larger maxWaiting",
  });
}

function closed(): GptOssError {
  return new GptOssError("engine/closed", { message: "this engine was closed", hint: "make a new one" });
}
