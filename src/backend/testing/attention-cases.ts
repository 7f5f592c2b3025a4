// Conformance of attention: ragged batches, windows, sinks, block tables with released and reused blocks.

import { expect } from "vitest";
import { type Random, random } from "../../base/index.ts";
import type { Batch, KvCacheSpec, KvStorage } from "../backend.ts";
import type { Bench, Case } from "./conformance.ts";
import * as oracle from "./oracle.ts";
import { normals, rowsOf, type Table, tableOf, upload, weightOf } from "./samples.ts";

interface Setup {
  readonly storage: KvStorage;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim?: number;
  readonly blockTokens?: number;
  readonly window?: number;
  /** Of the group that is used. */
  readonly blocks?: number;
  readonly queryScale?: number;
  readonly sink?: (random: Random) => number;
}

interface StepOptions {
  readonly window?: number | undefined;
  /** Keys and values are NaN, and nobody looks at the output. */
  readonly poison?: boolean;
}

/** What one sequence has in the cache: whole histories for the oracle, a block table for the backend. */
interface Sequence {
  /** By layer, then position. */
  readonly keys: Float64Array[][];
  readonly values: Float64Array[][];
  readonly table: number[];
  length: number;
}

/** Sequences that share a cache; each step is checked row by row against the oracle, on two layers of one group. */
interface World {
  open(startAt?: number): Sequence;
  fork(sequence: Sequence, length: number): Sequence;
  /** Appends so many random tokens to each sequence (0: it is not in the batch). */
  step(parts: readonly (readonly [Sequence, number])[], options?: StepOptions): Promise<void>;
  close(sequence: Sequence): void;
}

/** Layers 0 and 2 are of group 1; group 0 has a table of its own, which must not matter here. */
const layers = [0, 2];

async function createWorld({ backend, expectClose }: Bench, setup: Setup, seed: number): Promise<World> {
  const { storage, heads, kvHeads, headDim = 64, blockTokens = 16, blocks = 64, queryScale = 1 } = setup;
  const source = random(seed);
  const spec: KvCacheSpec = {
    kvHeads,
    headDim,
    blockTokens,
    layerGroups: [1, 0, 1],
    groupBlocks: [3, blocks],
    storage,
  };
  const cache = backend.createCache(spec);
  const sinkValues = tableOf(1, heads, () => Math.fround(setup.sink?.(source) ?? source.normal()));
  const sinks = await backend.loadVector(weightOf(sinkValues, "F32", [heads]).view);
  const free = Array.from({ length: blocks }, (_, i) => i);
  const holders = new Map<number, number>();
  const width = kvHeads * headDim;
  // Where the cache rounds coarsely, so does the paper: what is left to tell is the arithmetic.
  const kept = (table: Table, row: number): Float64Array => {
    const { values } = rowsOf(table, row, 1);
    return storage === "int8" ? oracle.int8(values, headDim) : values;
  };

  const take = (): number => {
    expect(free.length, "blocks of the test's cache").toBeGreaterThan(0);
    const [block] = free.splice(source.uint32() % free.length, 1);
    holders.set(block, 1);
    return block;
  };
  const release = (block: number): void => {
    if (block < 0) return;
    const count = holders.get(block)! - 1;
    holders.set(block, count);
    if (count === 0) free.push(block);
  };
  const releaseBehindWindow = ({ table, length }: Sequence): void => {
    if (setup.window === undefined) return;
    const first = Math.floor(Math.max(0, length - setup.window + 1) / blockTokens);
    for (let i = 0; i < Math.min(first, table.length); i++) {
      release(table[i]);
      table[i] = -1;
    }
  };

  const attendRow = (
    sequence: Sequence,
    layer: number,
    query: Float64Array,
    position: number,
    window?: number,
  ) => {
    const first = window === undefined ? 0 : Math.max(0, position - window + 1);
    const keys = sequence.keys[layer].slice(first, position + 1);
    const values = sequence.values[layer].slice(first, position + 1);
    return oracle.attend(query, keys, values, { sinks: sinkValues, headDim });
  };

  const runLayer = async (layer: number, batch: Batch, owners: readonly Sequence[], options: StepOptions) => {
    const { poison = false } = options;
    const window = "window" in options ? options.window : setup.window;
    const q = normals(source, batch.rows, heads * headDim, queryScale);
    const [k, v] = [0, 1].map(() =>
      poison ? tableOf(batch.rows, width, () => Number.NaN) : normals(source, batch.rows, width),
    );
    const want = new Float64Array(q.values.length);
    let row = 0;
    for (const [i, { tokens, position }] of batch.sequences.entries()) {
      for (let j = 0; j < tokens.length; j++, row++) {
        owners[i].keys[layer][position + j] = kept(k, row);
        owners[i].values[layer][position + j] = kept(v, row);
        if (poison) continue;
        const query = rowsOf(q, row, 1).values;
        want.set(attendRow(owners[i], layer, query, position + j, window), row * q.cols);
      }
    }
    const [qTensor, kTensor, vTensor] = [
      await upload(backend, q),
      await upload(backend, k),
      await upload(backend, v),
    ];
    const inputs = { q: qTensor, k: kTensor, v: vTensor, sinks, cache, layer, batch, window };
    const got = backend.attention(inputs);
    if (poison) backend.free(got);
    else {
      const operation = storage === "int8" ? "attentionInt8" : "attention";
      await expectClose(operation, got, { rows: q.rows, cols: q.cols, values: want } satisfies Table);
    }
  };

  return {
    open(startAt = 0) {
      const table = Array.from({ length: Math.ceil(startAt / blockTokens) }, () => -1);
      const history = (): Float64Array[][] => [0, 1, 2].map(() => []);
      return { keys: history(), values: history(), table, length: startAt };
    },
    fork(sequence, length) {
      const copy = (history: Float64Array[][]): Float64Array[][] =>
        history.map((rows) => rows.slice(0, length));
      const table = sequence.table.slice(0, length / blockTokens);
      for (const block of table) if (block >= 0) holders.set(block, holders.get(block)! + 1);
      return { keys: copy(sequence.keys), values: copy(sequence.values), table, length };
    },
    async step(parts, options = {}) {
      const present = parts.filter(([, count]) => count > 0);
      for (const [sequence] of present) releaseBehindWindow(sequence);
      const sequences = present.map(([sequence, count]) => {
        const position = sequence.length;
        sequence.length += count;
        while (sequence.table.length * blockTokens < sequence.length) sequence.table.push(take());
        const other = Int32Array.from(sequence.table, () => -1);
        return {
          tokens: new Int32Array(count),
          position,
          blockTables: [other, Int32Array.from(sequence.table)],
        };
      });
      const batch = { sequences, rows: sequences.reduce((rows, { tokens }) => rows + tokens.length, 0) };
      const owners = present.map(([sequence]) => sequence);
      for (const layer of layers) await runLayer(layer, batch, owners, options);
    },
    close({ table }) {
      for (const block of table.splice(0)) release(block);
    },
  };
}

/** A case that is run with each storage. */
interface AttentionCase extends Omit<Case, "run"> {
  readonly run: (bench: Bench, storage: KvStorage) => Promise<void>;
}

/** Steps of one world; a step lists how many tokens each sequence appends. */
function stepsCase(
  name: string,
  setup: Omit<Setup, "storage">,
  steps: readonly (readonly number[])[],
): AttentionCase {
  return {
    name,
    async run(bench, storage) {
      const world = await createWorld(bench, { storage, ...setup }, 30);
      const sequences = Array.from({ length: Math.max(...steps.map((step) => step.length)) }, () =>
        world.open(),
      );
      for (const counts of steps) await world.step(counts.map((count, i) => [sequences[i], count] as const));
    },
  };
}

/** A long prompt put into the cache cheaply: with a window of 1 a token sees itself only. */
async function fill(world: World, sequence: Sequence, length: number): Promise<void> {
  while (sequence.length < length) {
    await world.step([[sequence, Math.min(512, length - sequence.length)]], { window: 1 });
  }
}

const decodeSteps = (sequences: number): number[][] => [
  Array.from({ length: sequences }, (_, i) => 1 + ((i * 7) % 12)),
  ...[1, 2, 3].map(() => Array.from({ length: sequences }, () => 1)),
];

const cases: readonly AttentionCase[] = [
  stepsCase("heads of the published models", { heads: 64, kvHeads: 8, blockTokens: 32 }, [
    [37, 5],
    [1, 1],
    [1, 9],
  ]),
  stepsCase("a long prompt in uneven chunks", { heads: 4, kvHeads: 2, blockTokens: 32 }, [
    [130],
    [1],
    [67],
    [64],
    [1],
  ]),
  stepsCase("one head", { heads: 1, kvHeads: 1 }, [[1], [1], [20]]),
  stepsCase("eight queries share one key", { heads: 8, kvHeads: 1 }, [[33], [1]]),
  stepsCase("a window that ends within blocks", { heads: 4, kvHeads: 2, window: 50 }, [
    [45],
    [10],
    [100],
    [1],
    [1],
  ]),
  stepsCase("a window of 128", { heads: 8, kvHeads: 2, window: 128, blockTokens: 32 }, [
    [100],
    [60],
    [131],
    [1],
    [2],
  ]),
  stepsCase("a window smaller than a block", { heads: 4, kvHeads: 2, window: 5 }, [
    [3],
    [1],
    [1],
    [1],
    [40],
    [1],
  ]),
  stepsCase("a window of one", { heads: 4, kvHeads: 2, window: 1 }, [[18], [1]]),
  ...[1, 2, 3, 5, 7].map((n) =>
    stepsCase(`${n} sequences decode together`, { heads: 4, kvHeads: 2, window: 10 }, decodeSteps(n)),
  ),
  stepsCase("prompts and decoding in one batch", { heads: 4, kvHeads: 2 }, [
    [70, 3, 0],
    [1, 1, 35],
    [0, 40, 1],
    [1, 1, 1],
  ]),
  stepsCase("a sharp softmax", { heads: 4, kvHeads: 2, queryScale: 30 }, [[40], [1]]),
  stepsCase(
    "sinks that take everything, and nothing",
    { heads: 4, kvHeads: 2, sink: (r) => 60 * r.normal() },
    [[30], [1]],
  ),
  { ...stepsCase("heads of 32", { heads: 4, kvHeads: 2, headDim: 32 }, [[20], [1]]), mayBeUnsupported: true },
  {
    ...stepsCase("heads of 128", { heads: 4, kvHeads: 2, headDim: 128 }, [[20], [1]]),
    mayBeUnsupported: true,
  },
  {
    name: "blocks behind the window serve other sequences",
    async run(bench, storage) {
      // Each sequence needs two or three blocks of its window; 8 are there for three sequences and 90 positions each.
      const world = await createWorld(bench, { storage, heads: 4, kvHeads: 2, window: 20, blocks: 9 }, 31);
      const sequences = [world.open(), world.open(), world.open()];
      for (let i = 0; i < 18; i++) {
        await world.step(sequences.map((sequence, j) => [sequence, i % 3 === j ? 13 : 1] as const));
      }
    },
  },
  {
    name: "sequences with the same prefix share its blocks",
    async run(bench, storage) {
      const world = await createWorld(bench, { storage, heads: 4, kvHeads: 2 }, 32);
      const first = world.open();
      await world.step([[first, 40]]);
      const second = world.fork(first, 32);
      await world.step([
        [second, 1],
        [first, 1],
      ]);
      await world.step([
        [first, 20],
        [second, 30],
      ]);
    },
  },
  {
    name: "NaN left in a reused block does not leak",
    async run(bench, storage) {
      for (const window of [undefined, 6]) {
        const setup = {
          storage,
          heads: 4,
          kvHeads: 2,
          blocks: 2,
          ...(window === undefined ? {} : { window }),
        };
        const world = await createWorld(bench, setup, 33);
        const poisoned = world.open();
        await world.step([[poisoned, 32]], { poison: true });
        world.close(poisoned);
        const sequence = world.open();
        for (const count of [3, 1, 1, 9, 5, 1]) await world.step([[sequence, count]]);
      }
    },
  },
  {
    name: "positions past 4096, seen whole and through a window",
    async run(bench, storage) {
      const world = await createWorld(
        bench,
        { storage, heads: 2, kvHeads: 1, blockTokens: 32, blocks: 140 },
        34,
      );
      const sequence = world.open();
      await fill(world, sequence, 4099);
      for (const [count, window] of [
        [1, undefined],
        [3, undefined],
        [1, 128],
        [5, 128],
        [2, 4098],
      ] as const) {
        await world.step([[sequence, count]], { window });
      }
    },
  },
  {
    name: "a sliding layer at the end of the context holds a window only",
    async run(bench, storage) {
      const world = await createWorld(
        bench,
        { storage, heads: 4, kvHeads: 2, window: 64, blocks: 12, blockTokens: 32 },
        35,
      );
      const sequence = world.open(130_880);
      await world.step([[sequence, 63]], { window: 1 });
      for (const count of [1, 1, 70, 1]) await world.step([[sequence, count]]);
    },
  },
];

export const attentionCases: readonly Case[] = (["bf16", "int8"] as const).flatMap((storage) =>
  cases.map(({ name, run, ...rest }) => ({
    ...rest,
    name: `attention, cache in ${storage}: ${name}`,
    run: (bench) => run(bench, storage),
  })),
);
