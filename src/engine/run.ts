// The part of a step that computes: a forward pass over what was scheduled, then the next token of every sequence that
// is complete with it. Knows neither who is scheduled nor what becomes of the tokens.

import type { KvCache } from "../backend/index.ts";
import { batchOf, type Model } from "../model/index.ts";
import type { Scratch } from "./sampler/row.ts";
import type { Sampled } from "./sampler/sampler.ts";
import type { Sequence } from "./sequence.ts";

/** A sequence and the logits `[V]` after its last token. */
export interface LogitsRow {
  readonly sequence: Sequence;
  readonly logits: Float32Array;
}

/** → a row for each sequence all of whose tokens are now in the cache. */
export async function run(chunks: readonly Sequence[], model: Model, kv: KvCache): Promise<LogitsRow[]> {
  const batch = batchOf(chunks.map(({ chunk }) => chunk!));
  const complete = chunks.filter(({ pending }) => pending === 0);
  const tensor = model.forward({ batch, cache: kv, rows: Int32Array.from(lastRows(chunks)) });
  try {
    const logits = await model.backend.read(tensor);
    const { cols } = tensor;
    return complete.map((sequence, row) => ({
      sequence,
      logits: logits.subarray(row * cols, (row + 1) * cols),
    }));
  } finally {
    model.backend.free(tensor);
  }
}

/** Rows of the batch that hold the last token of a complete sequence. */
function lastRows(chunks: readonly Sequence[]): number[] {
  let end = 0;
  return chunks.flatMap(({ chunk, pending }) => {
    end += chunk!.tokens.length;
    return pending === 0 ? [end - 1] : [];
  });
}

/** What cannot be sampled fails alone. */
export function sample(
  rows: readonly LogitsRow[],
  scratch: Scratch,
  onFailure: (sequence: Sequence, error: unknown) => void,
): ReadonlyMap<Sequence, Sampled> {
  const sampled = new Map<Sequence, Sampled>();
  for (const { sequence, logits } of rows) {
    if (sequence.isOver) continue; // it left while the step ran
    try {
      sampled.set(sequence, sequence.job.sample(logits, scratch));
    } catch (error) {
      onFailure(sequence, error);
    }
  }
  return sampled;
}
