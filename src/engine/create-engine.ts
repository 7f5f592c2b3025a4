// The engine: requests become sequences, and as long as there are any, steps run. Who they are, when they end and what
// their readers get is decided here; what a step does is in step.ts. Never knows what a token means, nor which backend
// computes.

import { GptOssError } from "../base/index.ts";
import type { Model } from "../model/index.ts";
import { engineClosed } from "./closed.ts";
import type { Engine, FinishReason, GenerateEvent, GenerateRequest } from "./engine.ts";
import { createEventStream, type EventStream } from "./event-stream.ts";
import { createGrammarCompiler } from "./grammar/compile.ts";
import { type EngineOptions, type EnginePlan, planEngine } from "./plan.ts";
import { parseRequest } from "./request.ts";
import { createRoom } from "./room.ts";
import { createScratch } from "./sampler/row.ts";
import { createScheduler } from "./scheduler.ts";
import { createSequence, type Sequence } from "./sequence.ts";
import { createSpeculator } from "./speculation/speculator.ts";
import { step } from "./step.ts";
import { createStepBudget } from "./step-budget.ts";
import { yieldToEvents } from "./yield-to-events.ts";

/** An engine in this thread. */
export interface LocalEngine extends Engine {
  readonly plan: EnginePlan;
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
  const { tokenBytes } = options;
  const grammars = tokenBytes && createGrammarCompiler({ vocabularySize, tokenBytes });
  const room = createRoom(model, spec, plan);
  const blocks = Math.max(...spec.groupBlocks);
  const scheduler = createScheduler<Sequence>({ maxSequences, stepTokens, blocks, blockTokens }, room);
  const speculator = createSpeculator(plan.speculativeRows);
  const budget = createStepBudget(stepTokens, maxSequences);
  const scratch = createScratch(vocabularySize);
  const counts = { steps: 0, computedTokens: 0, outputTokens: 0, acceptedGuesses: 0, refusedGuesses: 0 };
  const prompts = { promptTokens: 0, cachedTokens: 0 };
  let arrivals = 0;
  let closing: Promise<void> | undefined;
  let isWorking = false;
  let work: Promise<void> = Promise.resolve();

  function submit(request: GenerateRequest, stream: EventStream<GenerateEvent>): Sequence {
    if (closing !== undefined) throw engineClosed();
    const job = parseRequest(request, { vocabularySize, contextLength, grammars });
    const inside = scheduler.waiting.length + scheduler.running.length;
    if (inside >= maxSequences + maxWaiting) throw overloaded(inside);
    const sequence = createSequence(job, { arrival: arrivals++, blockTokens, stream });
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
        await step({ model, scheduler, room, speculator, budget, scratch, counts, finish, fail });
      } catch (error) {
        failAll(error);
      }
    }
    isWorking = false;
  }

  /** Its place is free at once, though a step may be running with it: places are taken between steps only. */
  function end(sequence: Sequence): boolean {
    if (sequence.isOver) return false;
    sequence.isOver = true;
    sequence.onOver();
    if (sequence.cachedTokens !== undefined) {
      prompts.promptTokens += sequence.usage.promptTokens;
      prompts.cachedTokens += sequence.cachedTokens;
    }
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

  function failAll(error: unknown): void {
    for (const sequence of [...scheduler.running, ...scheduler.waiting]) fail(sequence, error);
  }

  async function endAll(): Promise<void> {
    failAll(engineClosed());
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
      cacheBlocks: spec.groupBlocks,
      preemptions: scheduler.preemptions,
      ...counts,
      ...prompts,
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
