// A text through the whole model, one layer in memory at a time. On some layers the reference runs on the same input, and
// the same backend in pieces, as a conversation does; after the last layer, how well the model expected the text.
// Whatever the depth, each comparison is of one layer: rounding does not pile up, so the limits can be tight.

import type { Backend, KvStorage } from "../../backend/index.ts";
import type { Checkpoint } from "../../checkpoint/index.ts";
import { batchOf, cachePlan, loadModel, type Model } from "../../model/index.ts";
import { embed, layerView, memoryView, type Stream, someRows } from "./layer-view.ts";
import type { ScanOptions } from "./tensor-statistics.ts";

export interface WalkOptions extends ScanOptions {
  readonly tokens: readonly number[];
  /** The first token that the model is asked to expect; those before it are given. */
  readonly scoredFrom: number;
  /** What computes the walk. */
  readonly create: () => Promise<Backend>;
  /** What it is compared with; undefined when it is the reference itself. */
  readonly createReference: (() => Promise<Backend>) | undefined;
  readonly sampledLayers: readonly number[];
  /** How keys and values are held, by the reference too. Default: bf16. */
  readonly cache?: KvStorage;
}

export interface LayerErrors {
  readonly layer: number;
  /** By compared row: see `updateErrors`. */
  readonly againstReference: readonly number[];
  readonly inPieces: readonly number[];
}

export interface Walk {
  readonly layers: readonly LayerErrors[];
  /** −mean log probability of the scored tokens. */
  readonly loss: number;
}

/** Rows whose layer output is compared: the first ones, and those at the end, which look back past the window. */
const comparedRows = 12;
/** As a conversation comes: a first token, a few, single ones, a long rest. */
const pieces = [1, 6, 1, 1, 31];

export async function walk(checkpoint: Checkpoint, options: WalkOptions): Promise<Walk> {
  const { tokens, sampledLayers, create, createReference, cache = "bf16", signal, onProgress } = options;
  const total = checkpoint.config.layers;
  const rows = rowsToCompare(tokens.length);
  const layers: LayerErrors[] = [];
  let stream = await embed(checkpoint, tokens);
  for (let layer = 0; layer < total; layer++) {
    signal?.throwIfAborted();
    const view = layerView(checkpoint, layer, stream);
    const isSampled = sampledLayers.includes(layer);
    const { whole, cut } = await onBackend(create, view, async (model) => ({
      whole: await runLayer(model, stream.rows, { cache }),
      cut: isSampled ? await runLayer(model, stream.rows, { cache, sizes: pieces }) : undefined,
    }));
    if (cut) {
      const reference =
        createReference &&
        (await onBackend(createReference, view, (model) => runLayer(model, stream.rows, { cache, rows })));
      const errors = (other: Stream, compared: readonly number[]): number[] =>
        updateErrors(pick(stream, compared), { got: pick(whole, compared), want: other });
      layers.push({
        layer,
        againstReference: reference ? errors(reference, rows) : [],
        inPieces: errors(pick(cut, rows), rows),
      });
    }
    stream = whole;
    onProgress?.({ check: "backends", done: layer + 1, total });
  }
  return { layers, loss: await lossOf(checkpoint, { ...options, stream }) };
}

function rowsToCompare(count: number): readonly number[] {
  const half = comparedRows / 2;
  const all = Array.from({ length: count }, (_, row) => row);
  return count <= comparedRows ? all : [...all.slice(0, half), ...all.slice(-half)];
}

async function onBackend<T>(
  create: () => Promise<Backend>,
  view: Checkpoint,
  work: (model: Model) => Promise<T>,
): Promise<T> {
  const backend = await create();
  try {
    return await work(await loadModel(view, backend));
  } finally {
    await backend.close(); // the weights go with it: the next layer needs the room
  }
}

interface LayerRun {
  readonly cache: KvStorage;
  /** The tokens in pieces of these sizes; default: in one. */
  readonly sizes?: readonly number[];
  /** Default: all. */
  readonly rows?: readonly number[];
}

/** The stream after the layer, whole or of some rows. */
async function runLayer(model: Model, count: number, run: LayerRun): Promise<Stream> {
  const { cache: storage, sizes = [], rows = Array.from({ length: count }, (_, row) => row) } = run;
  const { backend, config } = model;
  const cache = model.createCache(
    cachePlan(config, { contextTokens: count, sequences: 1, chunkTokens: count, storage }),
  );
  const values = new Float32Array(rows.length * config.hiddenSize);
  try {
    const sequence = cache.open();
    for (let piece = 0, filled = 0; sequence.length < count; piece++) {
      const start = sequence.length;
      const end = Math.min(count, start + (sizes[piece] ?? count));
      const tokens = Int32Array.from({ length: end - start }, (_, i) => start + i);
      const wanted = rows.filter((row) => row >= start && row < end);
      const reads: Promise<Float32Array>[] = [];
      const logits = model.forward({
        batch: batchOf([sequence.append(tokens)]),
        cache: cache.kv,
        rows: Int32Array.from(wanted, (row) => row - start),
        onHidden: (_, hidden) => reads.push(backend.read(hidden)),
      });
      for (const read of reads) values.set(await read, filled * config.hiddenSize);
      backend.free(logits);
      sequence.commit();
      filled += wanted.length;
    }
    return { rows: rows.length, values };
  } finally {
    cache.close();
  }
}

function pick({ values, rows: count }: Stream, rows: readonly number[]): Stream {
  const width = values.length / count;
  const picked = new Float32Array(rows.length * width);
  for (const [i, row] of rows.entries())
    picked.set(values.subarray(row * width, (row + 1) * width), i * width);
  return { rows: rows.length, values: picked };
}

/**
 * By row: how far two outputs of a layer are apart, relative to what the layer added to its input; as lengths of
 * vectors. Compared with the stream itself, which grows to tens of thousands, any error would look small.
 */
function updateErrors(
  input: Stream,
  { got, want }: { readonly got: Stream; readonly want: Stream },
): number[] {
  const width = input.values.length / input.rows;
  return Array.from({ length: input.rows }, (_, row) => {
    let difference = 0;
    let update = 0;
    for (let i = row * width; i < (row + 1) * width; i++) {
      difference += (got.values[i] - want.values[i]) ** 2;
      update += (want.values[i] - input.values[i]) ** 2;
    }
    return Math.sqrt(difference) / Math.max(Math.sqrt(update), 1e-20);
  });
}

/** Rows of the unembedding that are in memory at once. */
const slabRows = 2 ** 15;

/** Logits come slab by slab of the vocabulary; what a softmax needs of them is kept by row. */
async function lossOf(
  checkpoint: Checkpoint,
  { stream, tokens, scoredFrom, create, signal }: WalkOptions & { readonly stream: Stream },
): Promise<number> {
  const { hiddenSize, vocabularySize, rmsNormEpsilon } = checkpoint.config;
  const lmHead = checkpoint.tensor("lm_head.weight");
  const rows = stream.rows - scoredFrom;
  const largest = new Float64Array(rows).fill(Number.NEGATIVE_INFINITY);
  const sums = new Float64Array(rows);
  const targets = new Float64Array(rows);
  for (let first = 0; first < vocabularySize; first += slabRows) {
    signal?.throwIfAborted();
    const count = Math.min(slabRows, vocabularySize - first);
    const backend = await create();
    try {
      const table = await backend.loadMatrix(
        memoryView("stream", stream.values, [stream.rows, hiddenSize]),
        "embed",
      );
      const norm = await backend.loadVector(checkpoint.tensor("model.norm.weight"));
      const slab = await backend.loadMatrix(someRows(lmHead, first, count));
      const positions = Int32Array.from({ length: rows }, (_, row) => scoredFrom - 1 + row);
      const logits = backend.scope(() =>
        backend.linear(backend.rmsNorm(backend.embed(table, positions), norm, rmsNormEpsilon), slab),
      );
      const values = await backend.read(logits);
      for (let row = 0; row < rows; row++) {
        const own = values.subarray(row * count, (row + 1) * count);
        const max = own.reduce((a, b) => Math.max(a, b), largest[row]);
        sums[row] *= Math.exp(largest[row] - max);
        for (const value of own) sums[row] += Math.exp(value - max);
        largest[row] = max;
        const target = tokens[scoredFrom + row] - first;
        if (target >= 0 && target < count) targets[row] = own[target];
      }
    } finally {
      await backend.close();
    }
  }
  const losses = Array.from({ length: rows }, (_, row) => Math.log(sums[row]) + largest[row] - targets[row]);
  return losses.reduce((sum, loss) => sum + loss, 0) / rows;
}
