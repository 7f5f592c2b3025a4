// Conformance of the mixture of experts: routing, swiglu with its limits, and weighting.

import { expect } from "vitest";
import { random } from "../../base/index.ts";
import type { Backend, MoeOptions, Tensor } from "../backend.ts";
import type { Bench, Case } from "./conformance.ts";
import * as oracle from "./oracle.ts";
import {
  type ExpertWeights,
  normals,
  once,
  randomExperts,
  randomMatrix,
  randomVector,
  rowsOf,
  type Table,
  tableOf,
  upload,
  type Weight,
  weightOf,
} from "./samples.ts";

interface Layer extends ExpertWeights {
  readonly router: Weight;
  readonly routerBias: Weight;
}

const limit = 7;

function randomLayer(seed: number, experts: number, hidden: number, intermediate: number): Layer {
  const source = random(seed);
  return {
    ...randomExperts(source, experts, hidden, intermediate),
    router: randomMatrix(source, experts, hidden),
    routerBias: randomVector(source, experts),
  };
}

async function load(backend: Backend, layer: Layer, expertsPerToken: number): Promise<MoeOptions> {
  return {
    router: await backend.loadMatrix(layer.router.view, "route"),
    routerBias: await backend.loadVector(layer.routerBias.view),
    experts: await backend.loadExperts(layer.views),
    expertsPerToken,
    swigluLimit: limit,
  };
}

/** What the layer gives for `x`, on paper. */
function expected(x: Table, layer: Layer, expertsPerToken: number): oracle.MoeOracle {
  return oracle.moe(x, oracle.route(x, layer.router, layer.routerBias, expertsPerToken), layer, limit);
}

/** Random rows whose choice of experts is not a matter of rounding; the suite cannot say who is right about others. */
function clearRows(layer: Layer, expertsPerToken: number, count: number): Table {
  const candidates = normals(random(21), count + 5, layer.hidden);
  const routes = oracle.route(candidates, layer.router, layer.routerBias, expertsPerToken);
  const rows = [...routes.keys()].filter((row) => routes[row].margin > 1e-3).slice(0, count);
  expect(rows.length).toBe(count);
  const { cols, values } = candidates;
  return tableOf(count, cols, (i) => values[rows[Math.floor(i / cols)] * cols + (i % cols)]);
}

function moeCase(
  name: string,
  shape: readonly [experts: number, expertsPerToken: number, hidden: number, intermediate: number],
  counts: readonly number[],
): Case {
  const [experts, expertsPerToken, hidden, intermediate] = shape;
  // Once for all backends of a test file: at published widths the oracle takes seconds.
  const sample = once(() => {
    const layer = randomLayer(20, experts, hidden, intermediate);
    const x = clearRows(layer, expertsPerToken, Math.max(...counts));
    return { layer, x, ...expected(x, layer, expertsPerToken) };
  });
  return {
    name: `moe: ${name}`,
    async run({ backend, expectClose }) {
      const { layer, x, output, clamped } = sample();
      expect(clamped).toBeGreaterThan(0.01); // or the limit is not tested
      const options = await load(backend, layer, expertsPerToken);
      const tensor = await upload(backend, x);
      for (const rows of counts) {
        const some = backend.gather(
          tensor,
          Int32Array.from({ length: rows }, (_, i) => i),
        );
        await expectClose("moe", backend.moe(some, options), rowsOf(output, 0, rows));
      }
    },
  };
}

/** Runs a layer whose router was replaced, on random rows. */
async function runRouted(bench: Bench, layer: Layer, rows: number): Promise<void> {
  const { backend, expectClose } = bench;
  const x = normals(random(22), rows, layer.hidden);
  const options = await load(backend, layer, 4);
  const want = expected(x, layer, 4).output;
  await expectClose("moe", backend.moe(await upload(backend, x), options), want);
}

const noRouter = (experts: number, hidden: number): Weight =>
  weightOf(
    tableOf(experts, hidden, () => 0),
    "BF16",
  );

const routerBias = (experts: number, bias: (expert: number) => number): Weight =>
  weightOf(tableOf(1, experts, bias), "BF16", [experts]);

export const moeCases: readonly Case[] = [
  moeCase(
    "16 experts, from 0 to 70 rows",
    [16, 4, 128, 128],
    [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 70],
  ),
  moeCase("32 experts, widths that differ", [32, 4, 64, 96], [1, 6, 33]),
  moeCase("128 experts", [128, 4, 64, 32], [1, 13, 40]),
  moeCase("all experts chosen", [4, 4, 96, 64], [1, 9]),
  moeCase("one expert chosen", [8, 1, 64, 64], [1, 20]),
  moeCase("widths of the published models", [3, 2, 2880, 2880], [1, 2]),
  {
    name: "moe: of equal router logits the lower expert wins",
    async run(bench) {
      const layer = randomLayer(23, 16, 64, 64);
      // Experts 3…12 are equal; four of them are chosen, which must be 3, 4, 5 and 6.
      const bias = routerBias(16, (expert) => (expert >= 3 && expert <= 12 ? 2 : 1));
      await runRouted(bench, { ...layer, router: noRouter(16, 64), routerBias: bias }, 5);
    },
  },
  {
    name: "moe: all rows choose the same experts",
    async run(bench) {
      const layer = randomLayer(24, 32, 64, 64);
      const bias = routerBias(32, (expert) => (expert % 8 === 5 ? 10 + expert / 8 : 0));
      await runRouted(bench, { ...layer, router: noRouter(32, 64), routerBias: bias }, 70);
    },
  },
  {
    name: "moe: far router logits neither overflow nor vanish",
    async run(bench) {
      const layer = randomLayer(25, 8, 64, 64);
      const bias = routerBias(8, (expert) => 1000 * (expert - 4));
      await runRouted(bench, { ...layer, router: noRouter(8, 64), routerBias: bias }, 3);
    },
  },
  {
    name: "moe: the same call gives the same bits",
    async run({ backend }) {
      const layer = randomLayer(26, 16, 128, 128);
      const options = await load(backend, layer, 4);
      const x = await upload(backend, normals(random(27), 67, 128));
      const run = (): Promise<Float32Array> => backend.read(backend.moe(x, options));
      const first = await run();
      for (let i = 0; i < 4; i++) expect(await run()).toEqual(first);
    },
  },
  {
    name: "moe: NaN in one row stays in that row",
    async run({ backend, expectClose }) {
      const layer = randomLayer(28, 8, 64, 64);
      const x = normals(random(29), 5, 64);
      const options = await load(backend, layer, 8);
      const poisoned: Table = {
        ...x,
        values: x.values.map((value, i) => (i === 2 * 64 + 9 ? Number.NaN : value)),
      };
      const got: Tensor = backend.moe(await upload(backend, poisoned), options);
      const want = expected(x, layer, 8).output;
      for (const row of [0, 1, 3, 4]) {
        await expectClose("moe", backend.gather(got, Int32Array.of(row)), rowsOf(want, row, 1));
      }
    },
  },
];
