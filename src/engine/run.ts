// The part of a step that computes: a forward pass over what was scheduled, then the next tokens of every sequence that
// is complete with it: one, and where guesses ran too, one more for each guess that was right. Knows neither who is
// scheduled nor what becomes of the tokens.

import type { KvCache } from "../backend/index.ts";
import { batchOf, type Model } from "../model/index.ts";
import type { FinishReason } from "./engine.ts";
import type { Scratch } from "./sampler/row.ts";
import type { Sequence } from "./sequence.ts";

/** A sequence and its logits `[V]`: after its last token, and after each guess; none where more of it is to run. */
export interface SequenceLogits {
  readonly sequence: Sequence;
  readonly rows: readonly Float32Array[];
}

export async function run(chunks: readonly Sequence[], model: Model, kv: KvCache): Promise<SequenceLogits[]> {
  const batch = batchOf(chunks.map(({ chunk }) => chunk!));
  const wanted = chunks.map(wantedOf); // now: a sequence that leaves while the step runs still has its rows in it
  const tensor = model.forward({ batch, cache: kv, rows: Int32Array.from(wantedRows(chunks, wanted)) });
  try {
    const logits = await model.backend.read(tensor);
    const { cols } = tensor;
    let row = 0;
    const nextRow = (): Float32Array => logits.subarray(row * cols, ++row * cols);
    return chunks.map((sequence, i) => ({ sequence, rows: Array.from({ length: wanted[i] }, nextRow) }));
  } finally {
    model.backend.free(tensor);
  }
}

/** What is pending runs to its end, guesses apart, which are never pending. */
const wantedOf = ({ pending, guesses }: Sequence): number => (pending > 0 ? 0 : 1 + guesses.length);

/** Rows of the batch: the last ones of each complete sequence. */
function wantedRows(chunks: readonly Sequence[], wanted: readonly number[]): number[] {
  let end = 0;
  return chunks.flatMap(({ chunk }, index) => {
    end += chunk!.tokens.length;
    return Array.from({ length: wanted[index] }, (_, i) => end - wanted[index] + i);
  });
}

export interface Sampling {
  /** Tokens that joined the sequence. */
  readonly count: number;
  /** Why the sequence ends with them, if it does. */
  readonly reason: FinishReason | undefined;
}

/**
 * Samples row by row, as steps of one row would: the row after a guess counts only if the guess was sampled, so that
 * random numbers, penalties and constraints are where they would be without guesses.
 */
export function sampleRows({ sequence, rows }: SequenceLogits, scratch: Scratch): Sampling {
  let count = 0;
  for (const logits of rows) {
    const sampled = sequence.job.sample(logits, scratch);
    const reason = sequence.accept(sampled);
    const wasGuessed = sampled.token === sequence.guesses[count++];
    if (reason !== undefined || !wasGuessed) return { count, reason };
  }
  return { count, reason: undefined };
}
