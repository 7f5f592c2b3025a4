// Conformance of the operations that treat each row alone: embed, rmsNorm, linear, rope, add, gather.

import { expect } from "vitest";
import { random } from "../../base/index.ts";
import type { Case } from "./conformance.ts";
import * as oracle from "./oracle.ts";
import {
  normals,
  once,
  randomMatrix,
  randomVector,
  rowsOf,
  type Table,
  tableOf,
  upload,
  weightOf,
} from "./samples.ts";

function linearCase(name: string, shapes: readonly (readonly [T: number, D: number, out: number])[]): Case {
  // Once for all backends of a test file: at published widths the oracle takes seconds.
  const samples = once(() => {
    const source = random(1);
    return shapes.map(([rows, cols, out]) => {
      const x = normals(source, rows, cols);
      const weight = randomMatrix(source, out, cols);
      const bias = randomVector(source, out);
      return { x, weight, bias, want: oracle.linear(x, weight, bias) };
    });
  });
  return {
    name: `linear: ${name}`,
    async run({ backend, expectClose }) {
      for (const { x, weight, bias, want } of samples()) {
        const got = backend.linear(
          await upload(backend, x),
          await backend.loadMatrix(weight.view),
          await backend.loadVector(bias.view),
        );
        await expectClose("linear", got, want);
      }
    },
  };
}

export const rowCases: readonly Case[] = [
  {
    name: "linear: every number of rows from 0 to 70",
    async run({ backend, expectClose }) {
      const source = random(2);
      const x = normals(source, 70, 96);
      const weight = randomMatrix(source, 37, 96);
      const want = oracle.linear(x, weight);
      const matrix = await backend.loadMatrix(weight.view);
      const tensor = await upload(backend, x);
      for (let rows = 0; rows <= 70; rows++) {
        const some = backend.gather(
          tensor,
          Int32Array.from({ length: rows }, (_, i) => i),
        );
        await expectClose("linear", backend.linear(some, matrix), rowsOf(want, 0, rows));
      }
    },
  },
  linearCase("widths of the published models", [
    [1, 2880, 4096],
    [3, 4096, 720],
    [2, 2880, 512],
    [5, 2880, 128],
  ]),
  linearCase("a vocabulary that is no multiple of 64", [
    [1, 128, 2080],
    [3, 128, 2093],
    [17, 64, 9],
  ]),
  { ...linearCase("a width that is no multiple of 32", [[3, 40, 24]]), mayBeUnsupported: true },
  {
    name: "linear: weights in F32 and F16, and a router's",
    async run({ backend, expectClose }) {
      const source = random(3);
      const x = normals(source, 5, 128);
      for (const dtype of ["F32", "F16", "BF16"] as const) {
        const weight = randomMatrix(source, 48, 128, dtype);
        for (const use of ["linear", "route"] as const) {
          const matrix = await backend.loadMatrix(weight.view, use);
          await expectClose(
            "linear",
            backend.linear(await upload(backend, x), matrix),
            oracle.linear(x, weight),
          );
        }
      }
    },
  },
  {
    name: "linear: tiny, huge and empty rows side by side do not disturb each other",
    async run({ backend, expectClose }) {
      const source = random(4);
      // 45,000 is what the residual stream of the 120b model reaches; f16 ends at 65,504.
      const scales = [1e-6, 45_000, 0, 1, 1e-20];
      const x = tableOf(5, 128, (i) => Math.fround(source.normal() * scales[Math.floor(i / 128)]));
      const weight = randomMatrix(source, 64, 128);
      const got = backend.linear(await upload(backend, x), await backend.loadMatrix(weight.view));
      await expectClose("linear", got, oracle.linear(x, weight));
    },
  },
  {
    name: "no rows: an operation on none gives none",
    async run({ backend }) {
      const source = random(44);
      const some = await upload(backend, normals(source, 3, 64));
      const none = backend.gather(some, new Int32Array(0));
      const weight = await backend.loadMatrix(randomMatrix(source, 128, 64).view);
      const bias = await backend.loadVector(randomVector(source, 128).view);
      const scale = await backend.loadVector(randomVector(source, 64).view);
      const rotation = { cos: new Float32Array(0), sin: new Float32Array(0) };
      const made = [
        backend.linear(backend.rmsNorm(none, scale, 1e-5), weight, bias),
        backend.rope(none, 64, rotation),
        backend.add(none, none),
        backend.gather(none, new Int32Array(0)),
        backend.embed(weight, new Int32Array(0)),
      ];
      for (const tensor of made) expect((await backend.read(tensor)).length).toBe(0);
      expect((await backend.read(some)).length).toBe(3 * 64);
    },
  },
  {
    name: "linear: the same call gives the same bits",
    async run({ backend }) {
      const source = random(5);
      const x = await upload(backend, normals(source, 67, 256));
      const weight = await backend.loadMatrix(randomMatrix(source, 131, 256).view);
      const first = await backend.read(backend.linear(x, weight));
      for (let i = 0; i < 4; i++) expect(await backend.read(backend.linear(x, weight))).toEqual(first);
    },
  },
  {
    name: "embed: ids in any order, repeated, first and last",
    async run({ backend, expectClose }) {
      const table = randomMatrix(random(6), 300, 96);
      const matrix = await backend.loadMatrix(table.view, "embed");
      const ids = [299, 0, 7, 7, 150, 299];
      const want = tableOf(6, 96, (i) => table.values[ids[Math.floor(i / 96)] * 96 + (i % 96)]);
      await expectClose("embed", backend.embed(matrix, Int32Array.from(ids)), want);
    },
  },
  {
    name: "rmsNorm: both widths, rows of all sizes, an empty row",
    async run({ backend, expectClose }) {
      const source = random(7);
      const scales = [1, 45_000, 1e-3, 0, 1e-8];
      for (const cols of [128, 2880]) {
        const x = tableOf(5, cols, (i) => Math.fround(source.normal() * scales[Math.floor(i / cols)]));
        const scale = randomVector(source, cols);
        const got = backend.rmsNorm(await upload(backend, x), await backend.loadVector(scale.view), 1e-5);
        await expectClose("rmsNorm", got, oracle.rmsNorm(x, scale, 1e-5));
      }
    },
  },
  ropeCase("one head", [0, 1, 2, 3, 4095], 1),
  ropeCase(
    "many heads, positions past 4096 and at the end of the context",
    [4096, 4097, 70_000, 131_071],
    64,
  ),
  {
    name: "add: sums",
    async run({ backend, expectClose }) {
      const source = random(8);
      const [a, b] = [normals(source, 7, 2880, 1000), normals(source, 7, 2880)];
      const got = backend.add(await upload(backend, a), await upload(backend, b));
      await expectClose(
        "add",
        got,
        tableOf(7, 2880, (i) => a.values[i] + b.values[i]),
      );
    },
  },
  {
    name: "gather: rows in any order, repeated, or none",
    async run({ backend }) {
      const x = normals(random(9), 9, 96);
      const tensor = await upload(backend, x);
      for (const rows of [[8, 0, 0, 3], [], [4]]) {
        const got = backend.gather(tensor, Int32Array.from(rows));
        expect([got.rows, got.cols]).toEqual([rows.length, 96]);
        const want = Float32Array.from(rows.flatMap((row) => [...rowsOf(x, row, 1).values]));
        expect(await backend.read(got)).toEqual(want);
      }
    },
  },
  {
    name: "no rows: every operation on rows accepts none",
    async run({ backend }) {
      const source = random(10);
      const matrix = await backend.loadMatrix(randomMatrix(source, 64, 128).view);
      const scale = await backend.loadVector(weightOf(normals(source, 1, 128), "BF16", [128]).view);
      const none = backend.embed(matrix, new Int32Array());
      const angles = new Float32Array();
      const results = [
        none,
        backend.rmsNorm(none, scale, 1e-5),
        backend.linear(none, matrix),
        backend.rope(none, 64, { cos: angles, sin: angles }),
        backend.add(none, none),
        backend.gather(none, new Int32Array()),
      ];
      for (const result of results) {
        expect(result.rows).toBe(0);
        expect(await backend.read(result)).toEqual(new Float32Array());
      }
    },
  },
];

function ropeCase(name: string, positions: readonly number[], heads: number): Case {
  return {
    name: `rope: ${name}`,
    async run({ backend, expectClose }) {
      const headDim = 64;
      const x = normals(random(11), positions.length, heads * headDim);
      const angles: Table = tableOf(positions.length, headDim / 2, (i) => {
        const frequency = 150_000 ** (-(i % 32) / 32);
        return Math.fround(positions[Math.floor(i / 32)] * frequency);
      });
      const factor = 1.3466;
      const rotation = {
        cos: Float32Array.from(angles.values, (angle) => factor * Math.cos(angle)),
        sin: Float32Array.from(angles.values, (angle) => factor * Math.sin(angle)),
      };
      const got = backend.rope(await upload(backend, x), headDim, rotation);
      await expectClose("rope", got, oracle.rope(x, headDim, angles, factor));
    },
  };
}
