// Conformance of refusals: what does not fit is refused by code before it can do harm, and the backend goes on.

import { expect } from "vitest";
import { type ErrorCode, random, type TensorView } from "../../base/index.ts";
import type { AttentionOptions, Backend, ExpertViews, KvCacheSpec, Tensor } from "../backend.ts";
import { type Case, expectRefused } from "./conformance.ts";
import { memoryView, normals, randomExperts, randomMatrix, randomVector, upload } from "./samples.ts";

interface Refusal {
  readonly what: string;
  readonly code: ErrorCode;
  /** Numbers that the message must name. */
  readonly numbers?: readonly number[];
  readonly work: () => Tensor;
}

async function expectAllRefused(backend: Backend, refusals: readonly Refusal[]): Promise<void> {
  for (const { what, code, numbers = [], work } of refusals) {
    const { message } = await expectRefused(backend, code, work);
    for (const number of numbers) expect(message, what).toContain(String(number));
  }
  const x = await upload(backend, normals(random(60), 2, 64));
  expect((await backend.read(backend.add(x, x))).length).toBe(128);
}

const withShape = (view: TensorView, shape: readonly number[]): TensorView => ({ ...view, shape });

export const refusalCases: readonly Case[] = [
  {
    name: "refused: operations on shapes that do not fit",
    async run({ backend }) {
      const source = random(61);
      const x = await upload(backend, normals(source, 3, 64));
      const wide = await upload(backend, normals(source, 3, 96));
      const tall = await upload(backend, normals(source, 5, 64));
      const weight = await backend.loadMatrix(randomMatrix(source, 24, 96).view);
      const fitting = await backend.loadMatrix(randomMatrix(source, 24, 64).view);
      const vector = await backend.loadVector(randomVector(source, 96).view);
      const angles = (length: number) => ({ cos: new Float32Array(length), sin: new Float32Array(length) });
      const shape = "backend/bad-shape";
      const index = "backend/bad-index";
      await expectAllRefused(backend, [
        { what: "linear", code: shape, numbers: [64, 96], work: () => backend.linear(x, weight) },
        { what: "bias", code: shape, numbers: [96, 24], work: () => backend.linear(x, fitting, vector) },
        { what: "scale", code: shape, numbers: [96, 64], work: () => backend.rmsNorm(x, vector, 1e-5) },
        { what: "add, columns", code: shape, numbers: [96, 64], work: () => backend.add(x, wide) },
        { what: "add, rows", code: shape, numbers: [5, 3], work: () => backend.add(x, tall) },
        { what: "angles", code: shape, numbers: [95, 96], work: () => backend.rope(x, 64, angles(95)) },
        { what: "heads", code: shape, work: () => backend.rope(wide, 64, angles(96)) },
        { what: "odd heads", code: shape, work: () => backend.rope(x, 1, angles(1)) },
        { what: "id", code: index, numbers: [24], work: () => backend.embed(weight, Int32Array.of(0, 24)) },
        {
          what: "negative id",
          code: index,
          numbers: [-1],
          work: () => backend.embed(weight, Int32Array.of(-1)),
        },
        { what: "row", code: index, numbers: [3], work: () => backend.gather(x, Int32Array.of(3)) },
        {
          what: "negative row",
          code: index,
          numbers: [-1],
          work: () => backend.gather(x, Int32Array.of(0, -1)),
        },
      ]);
    },
  },
  {
    name: "refused: a mixture of experts whose parts do not fit",
    async run({ backend }) {
      const source = random(62);
      const options = {
        router: await backend.loadMatrix(randomMatrix(source, 4, 64).view, "route"),
        routerBias: await backend.loadVector(randomVector(source, 4).view),
        experts: await backend.loadExperts(randomExperts(source, 4, 64, 32).views),
        expertsPerToken: 2,
        swigluLimit: 7,
      };
      const x = await upload(backend, normals(source, 3, 64));
      const wide = await upload(backend, normals(source, 3, 96));
      const router = await backend.loadMatrix(randomMatrix(source, 5, 64).view);
      const routerBias = await backend.loadVector(randomVector(source, 3).view);
      const code = "backend/bad-shape";
      await expectAllRefused(backend, [
        { what: "x", code, numbers: [96, 64], work: () => backend.moe(wide, options) },
        { what: "router", code, numbers: [5, 4], work: () => backend.moe(x, { ...options, router }) },
        { what: "bias", code, numbers: [3, 4], work: () => backend.moe(x, { ...options, routerBias }) },
        {
          what: "too many",
          code,
          numbers: [5, 4],
          work: () => backend.moe(x, { ...options, expertsPerToken: 5 }),
        },
        { what: "none", code, numbers: [0], work: () => backend.moe(x, { ...options, expertsPerToken: 0 }) },
      ]);
    },
  },
  {
    name: "refused: attention on what is not there",
    async run({ backend }) {
      const source = random(63);
      const spec: KvCacheSpec = {
        kvHeads: 2,
        headDim: 64,
        blockTokens: 16,
        layerGroups: [0, 1],
        groupBlocks: [4, 4],
      };
      const [q, k] = [
        await upload(backend, normals(source, 3, 256)),
        await upload(backend, normals(source, 3, 128)),
      ];
      const short = await upload(backend, normals(source, 2, 128));
      const sinks = await backend.loadVector(randomVector(source, 4).view);
      const threeSinks = await backend.loadVector(randomVector(source, 3).view);
      const at = (position: number, ...tables: readonly (readonly number[])[]): AttentionOptions["batch"] => {
        const blockTables = tables.map((table) => Int32Array.from(table));
        return { rows: 3, sequences: [{ tokens: new Int32Array(3), position, blockTables }] };
      };
      const cache = backend.createCache(spec);
      const good = { q, k, v: k, sinks, cache, layer: 0, batch: at(0, [2], [1]), window: undefined };
      const run = (change: Partial<AttentionOptions>) => () => backend.attention({ ...good, ...change });
      const shape = "backend/bad-shape";
      const index = "backend/bad-index";
      await backend.read(run({})());
      await expectAllRefused(backend, [
        { what: "rows of k", code: shape, numbers: [2, 3], work: run({ k: short }) },
        { what: "columns of v", code: shape, numbers: [256, 128], work: run({ v: q }) },
        { what: "columns of q", code: shape, numbers: [128, 256], work: run({ q: k }) },
        { what: "sinks", code: shape, work: run({ sinks: threeSinks }) },
        { what: "window", code: shape, numbers: [0], work: run({ window: 0 }) },
        { what: "batch", code: shape, numbers: [4, 3], work: run({ batch: { ...good.batch, rows: 4 } }) },
        { what: "sequences", code: shape, numbers: [0, 3], work: run({ batch: { rows: 3, sequences: [] } }) },
        { what: "tables", code: shape, numbers: [1, 2], work: run({ batch: at(0, [2]) }) },
        { what: "short table", code: shape, numbers: [1, 2], work: run({ batch: at(14, [2], [1]) }) },
        { what: "position", code: index, numbers: [-1], work: run({ batch: at(-1, [2], [1]) }) },
        { what: "layer", code: index, numbers: [2], work: run({ layer: 2 }) },
        { what: "negative layer", code: index, numbers: [-1], work: run({ layer: -1 }) },
        { what: "block", code: index, numbers: [4], work: run({ batch: at(0, [4], [1]) }) },
        { what: "released block", code: index, numbers: [-1], work: run({ batch: at(20, [-1, 2], [0, 1]) }) },
        { what: "released, window", code: index, work: run({ batch: at(20, [-1, 2], [0, 1]), window: 6 }) },
      ]);
      await backend.read(run({ batch: at(20, [-1, 2], [0, 1]), window: 5 })());
      backend.freeCache(cache);
      await expectRefused(backend, "backend/freed", run({}));
    },
  },
  {
    name: "refused: weights whose bytes or shapes are not what they say",
    async run({ backend }) {
      const source = random(64);
      const { view } = randomMatrix(source, 4, 32);
      const refused = (code: ErrorCode, load: Promise<unknown>) =>
        expect(load).rejects.toMatchObject({ code });
      const shape = "backend/bad-shape";
      await refused(shape, backend.loadMatrix(withShape(view, [4, 33])));
      await refused(shape, backend.loadMatrix(withShape(view, [128])));
      await refused(shape, backend.loadVector(view));
      await refused(shape, backend.loadMatrix(withShape({ ...view, byteLength: 0 }, [0, 32])));
      await refused(
        shape,
        backend.loadMatrix({ ...view, read: async () => (await view.read()).subarray(2) }),
      );
      const words = memoryView("ids", "I32", [4, 32], new Uint8Array(4 * 4 * 32));
      await refused("backend/unsupported", backend.loadMatrix(words));

      const good = randomExperts(source, 4, 64, 32).views;
      const others = randomExperts(source, 4, 96, 32).views;
      const broken: readonly Partial<ExpertViews>[] = [
        { down: others.down },
        { downBias: others.downBias },
        { gateUpBias: good.downBias, downBias: others.downBias },
        { gateUp: { ...good.gateUp, scales: others.gateUp.scales } },
        { gateUp: { ...good.gateUp, blocks: withShape(good.gateUp.blocks, [4, 64, 4, 8]) } },
      ];
      for (const change of broken) await refused(shape, backend.loadExperts({ ...good, ...change }));
      expect(backend.usage().weights).toBe(0);
      await backend.loadExperts(good);
    },
  },
  {
    name: "refused: a cache of impossible shape",
    async run({ backend }) {
      const spec: KvCacheSpec = {
        kvHeads: 1,
        headDim: 64,
        blockTokens: 16,
        layerGroups: [0],
        groupBlocks: [4],
      };
      const shape = expect.objectContaining({ code: "backend/bad-shape" });
      expect(() => backend.createCache({ ...spec, blockTokens: 0 })).toThrow(shape);
      expect(() => backend.createCache({ ...spec, groupBlocks: [1.5] })).toThrow(shape);
      expect(() => backend.createCache({ ...spec, kvHeads: Number.NaN })).toThrow(shape);
      expect(() => backend.createCache({ ...spec, storage: "int4" as "int8" })).toThrow(shape);
      const index = expect.objectContaining({ code: "backend/bad-index" });
      expect(() => backend.createCache({ ...spec, layerGroups: [1] })).toThrow(index);
    },
  },
];
