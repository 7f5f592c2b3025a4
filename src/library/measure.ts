// How fast a loaded model is: prefill of one prompt, then decoding of one or several sequences. Forward passes and
// greedy choice only, so that the figure is the model's and not the sampler's.

import type { Backend, KvStorage } from "../backend/index.ts";
import { batchOf, cachePlan, type Model, type SequenceCache } from "../model/index.ts";

export interface MeasureOptions {
  /** Tokens of the prompt. */
  readonly prefill: number;
  /** Tokens decoded after it, for each sequence. */
  readonly decode: number;
  /** Sequences that decode side by side. Default 1. */
  readonly sequences?: number;
  /**
   * Decode from this position on. What lies between the prompt and it is left unwritten: the time does not depend on
   * the numbers in the cache. Default: right after the prompt.
   */
  readonly position?: number;
  /** How keys and values are held. Default: bf16. */
  readonly cache?: KvStorage;
  readonly signal?: AbortSignal;
  readonly onProgress?: (phase: "prefill" | "decode", done: number, of: number) => void;
}

export interface Measurement {
  readonly prefillTokens: number;
  readonly prefillTokensPerSecond: number;
  /** The same for the first prompt after loading, which also brings the files' pages in. */
  readonly firstPrefillTokensPerSecond: number;
  readonly decodeTokens: number;
  readonly sequences: number;
  readonly position: number;
  readonly cache: KvStorage;
  readonly cacheBytes: number;
  /** Over all sequences together. */
  readonly decodeTokensPerSecond: number;
}

/** The most tokens that one forward pass takes; larger ones gain nothing and need more memory for activations. */
const chunkTokens = 2048;

/** Throws `model/too-long`, `backend/out-of-memory`, or the signal's reason. */
export async function measure(model: Model, options: MeasureOptions): Promise<Measurement> {
  const { prefill, decode, sequences: count = 1, cache: storage = "bf16", signal, onProgress } = options;
  const position = Math.max(prefill, options.position ?? 0);
  const contextTokens = (position + decode + 1) * count;
  const spec = cachePlan(model.config, { contextTokens, sequences: count, chunkTokens, storage });
  const cache = model.createCache(spec);
  const { backend } = model;
  const choose = tokenChooser(model.config.vocabularySize);

  /** One forward pass over the tokens of each sequence; → the greedy next token of each. */
  const step = async (
    parts: readonly SequenceCache[],
    tokens: readonly Int32Array[],
  ): Promise<Int32Array[]> => {
    signal?.throwIfAborted();
    const batch = batchOf(parts.map((sequence, i) => sequence.append(tokens[i])));
    const rows = Int32Array.from(parts.keys());
    let end = 0;
    for (const i of parts.keys()) rows[i] = (end += tokens[i].length) - 1;
    const logits = await readAndFree(backend, model.forward({ batch, cache: cache.kv, rows }));
    for (const sequence of parts) sequence.commit();
    return parts.map((_, i) => Int32Array.of(choose.best(logits, i)));
  };

  try {
    const prompt = choose.some(prefill);
    /** → seconds, and the next token */
    const read = async (sequence: SequenceCache): Promise<[number, Int32Array]> => {
      const start = performance.now();
      let last: Int32Array[] = [];
      for (let at = 0; at < prefill; at += chunkTokens) {
        last = await step([sequence], [prompt.subarray(at, at + chunkTokens)]);
        onProgress?.("prefill", Math.min(at + chunkTokens, prefill), prefill);
      }
      return [(performance.now() - start) / 1000, last[0]];
    };
    const first = cache.open();
    const [firstSeconds] = await read(first);
    first.close();
    const sequences = Array.from({ length: count }, () => cache.open());
    const [prefillSeconds, last] = await read(sequences[0]);

    for (const sequence of sequences) skipTo(sequence, position);
    let next = sequences.map(() => last);
    next = await step(sequences, next); // the first step after a change of pace is not like the others
    const decodeStart = performance.now();
    for (let i = 0; i < decode; i++) {
      next = await step(sequences, next);
      onProgress?.("decode", i + 1, decode);
    }
    const decodeSeconds = (performance.now() - decodeStart) / 1000;
    return {
      prefillTokens: prefill,
      prefillTokensPerSecond: prefill / prefillSeconds,
      firstPrefillTokensPerSecond: prefill / firstSeconds,
      decodeTokens: decode,
      sequences: count,
      position,
      cache: storage,
      cacheBytes: backend.cacheBytes(spec),
      decodeTokensPerSecond: (decode * count) / decodeSeconds,
    };
  } finally {
    cache.close();
  }
}

/** Moves a sequence forward without computing: blocks are taken, and those behind a window released, as in a real run. */
function skipTo(sequence: SequenceCache, position: number): void {
  while (sequence.length < position) {
    sequence.append(new Int32Array(Math.min(chunkTokens, position - sequence.length)));
    sequence.commit();
  }
}

async function readAndFree(backend: Backend, tensor: ReturnType<Model["forward"]>): Promise<Float32Array> {
  try {
    return await backend.read(tensor);
  } finally {
    backend.free(tensor);
  }
}

function tokenChooser(vocabularySize: number) {
  return {
    /** Spread over the vocabulary, so that a prompt meets many experts. */
    some: (count: number): Int32Array =>
      Int32Array.from({ length: count }, (_, i) => (1000 + i * 7919) % Math.ceil(vocabularySize * 0.9)),
    best(logits: Float32Array, row: number): number {
      const start = row * vocabularySize;
      let best = 0;
      for (let i = 1; i < vocabularySize; i++) if (logits[start + i] > logits[start + best]) best = i;
      return best;
    },
  };
}
