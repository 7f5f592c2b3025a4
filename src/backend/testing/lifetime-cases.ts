// Conformance of ownership: scopes, early frees, reads under way, use after free, and what `usage` says.

import { expect } from "vitest";
import { random } from "../../base/index.ts";
import type { Backend, KvCacheSpec, MoeOptions, Tensor } from "../backend.ts";
import { type Case, expectRefused } from "./conformance.ts";
import { normals, randomExperts, randomMatrix, randomVector, upload } from "./samples.ts";

const spec: KvCacheSpec = {
  kvHeads: 2,
  headDim: 64,
  blockTokens: 16,
  layerGroups: [0, 1, 0],
  groupBlocks: [4, 7],
};

/** A tensor `[3, 64]`. */
const sample = (backend: Backend): Promise<Tensor> => upload(backend, normals(random(40), 3, 64));

export const lifetimeCases: readonly Case[] = [
  {
    name: "a scope frees what was made in it, except its result",
    async run({ backend }) {
      const x = await sample(backend);
      const before = backend.usage().tensors;
      const result = backend.scope(() => {
        const sum = backend.add(x, x);
        const inner = backend.scope(() => backend.add(backend.add(sum, x), x));
        expect(backend.usage().tensors).toBe(before + 2);
        return backend.add(inner, sum);
      });
      expect(backend.usage().tensors).toBe(before + 1);
      const values = await backend.read(x);
      expect(await backend.read(result)).toEqual(values.map((value) => 6 * value));
      backend.free(result);
      expect(backend.usage().tensors).toBe(before);
      await expectRefused(backend, "backend/freed", () => result);
    },
  },
  {
    name: "a scope may return a tensor from outside, which stays",
    async run({ backend }) {
      const x = await sample(backend);
      expect(backend.scope(() => x)).toBe(x);
      expect((await backend.read(x)).length).toBe(3 * 64);
    },
  },
  {
    name: "a scope whose work throws frees everything made in it",
    async run({ backend }) {
      const x = await sample(backend);
      const before = backend.usage();
      const work = (): Tensor => {
        backend.add(x, x);
        throw new Error("stop");
      };
      expect(() => backend.scope(() => backend.scope(work))).toThrow("stop");
      expect(backend.usage()).toEqual(before);
      expect(() => backend.scope(() => x)).not.toThrow();
    },
  },
  {
    name: "a tensor can be freed before its scope ends",
    async run({ backend }) {
      const x = await sample(backend);
      const before = backend.usage().tensors;
      const result = backend.scope(() => {
        const early = backend.add(x, x);
        const kept = backend.add(early, x);
        backend.free(early);
        expect(backend.usage().tensors).toBe(before + 1);
        return kept;
      });
      expect((await backend.read(result)).length).toBe(3 * 64);
    },
  },
  {
    name: "a read that was begun survives the tensor",
    async run({ backend }) {
      const x = await sample(backend);
      const want = await backend.read(x);
      const reads: Promise<Float32Array>[] = [];
      const result = backend.scope(() => {
        const copy = backend.gather(x, Int32Array.of(0, 1, 2));
        reads.push(backend.read(copy));
        return backend.add(copy, copy);
      });
      for (let i = 0; i < 20; i++) backend.free(backend.add(result, result)); // would overwrite memory given back early
      backend.free(result);
      expect(await reads[0]).toEqual(want);
    },
  },
  {
    name: "what is read belongs to the reader",
    async run({ backend }) {
      const x = await sample(backend);
      const first = await backend.read(x);
      const want = first.slice();
      first.fill(7);
      expect(await backend.read(x)).toEqual(want);
    },
  },
  {
    name: "use after free is refused",
    async run({ backend }) {
      const x = await sample(backend);
      const alive = await sample(backend);
      const scale = await backend.loadVector(randomVector(random(41), 64).view);
      const weight = await backend.loadMatrix(randomMatrix(random(42), 8, 64).view);
      const angles = { cos: new Float32Array(3 * 32), sin: new Float32Array(3 * 32) };
      backend.free(x);
      for (const use of [
        () => x,
        () => backend.add(alive, x),
        () => backend.add(x, alive),
        () => backend.gather(x, Int32Array.of(0)),
        () => backend.rmsNorm(x, scale, 1e-5),
        () => backend.linear(x, weight),
        () => backend.rope(x, 64, angles),
        () => backend.scope(() => x),
      ]) {
        await expectRefused(backend, "backend/freed", use);
      }
      expect(() => backend.free(x)).toThrow("freed");
    },
  },
  {
    name: "a cache takes what was announced and gives it back",
    async run({ backend }) {
      const before = backend.usage();
      // Two layers of 4 blocks and one of 7, keys and values; a stored value takes between one byte and four.
      const values = (4 + 7 + 4) * 16 * 2 * 64 * 2;
      for (const stored of [spec, { ...spec, storage: "int8" }] satisfies KvCacheSpec[]) {
        const announced = backend.cacheBytes(stored);
        expect(announced).toBeGreaterThanOrEqual(values);
        expect(announced).toBeLessThanOrEqual(4 * values + 4096);
        const cache = backend.createCache(stored);
        expect(cache.spec).toEqual(stored);
        expect(backend.usage()).toEqual({ ...before, caches: 1, bytes: before.bytes + announced });
        backend.freeCache(cache);
        expect(backend.usage()).toEqual(before);
        expect(() => backend.freeCache(cache)).toThrow("freed");
      }
      expect(backend.cacheBytes({ ...spec, storage: "int8" })).toBeLessThanOrEqual(backend.cacheBytes(spec));
    },
  },
  {
    name: "a cache that cannot be is refused, and the backend goes on",
    async run({ backend }) {
      const huge = { ...spec, groupBlocks: [2 ** 31 - 1, 2 ** 31 - 1], kvHeads: 4096, blockTokens: 4096 };
      expect(() => backend.createCache(huge)).toThrow(
        expect.objectContaining({ code: "backend/out-of-memory" }),
      );
      expect(backend.usage().caches).toBe(0);
      expect((await backend.read(await sample(backend))).length).toBe(3 * 64);
    },
  },
  {
    name: "handles of another backend are refused",
    async run({ backend, other }) {
      const stranger = await other();
      const [x, foreign] = [await sample(backend), await sample(stranger)];
      const matrix = await stranger.loadMatrix(randomMatrix(random(43), 8, 64).view);
      const vector = await stranger.loadVector(randomVector(random(44), 64).view);
      const router = await backend.loadMatrix(randomMatrix(random(45), 4, 64).view);
      const routerBias = await backend.loadVector(randomVector(random(46), 4).view);
      const experts = await stranger.loadExperts(randomExperts(random(47), 4, 64, 64).views);
      const options: MoeOptions = { router, routerBias, experts, expertsPerToken: 2, swigluLimit: 7 };
      const cache = stranger.createCache(spec);
      for (const use of [
        () => backend.add(x, foreign),
        () => backend.linear(x, matrix),
        () => backend.embed(matrix, Int32Array.of(0)),
        () => backend.rmsNorm(x, vector, 1e-5),
        () => backend.moe(x, options),
        () => ({ rows: 1, cols: 1 }),
      ]) {
        await expectRefused(backend, "backend/foreign", use);
      }
      const code = expect.objectContaining({ code: "backend/foreign" });
      expect(() => backend.free(foreign)).toThrow(code);
      expect(() => backend.freeCache(cache)).toThrow(code);
    },
  },
  {
    name: "a closed backend refuses, and closes twice",
    async run({ backend }) {
      const x = await sample(backend);
      const matrix = randomMatrix(random(48), 8, 64);
      const vector = randomVector(random(49), 64);
      const views = randomExperts(random(50), 4, 64, 64).views;
      const loaded = await backend.loadMatrix(matrix.view);
      await backend.close();
      await expectRefused(backend, "backend/freed", () => x);
      await expectRefused(backend, "backend/freed", () => backend.embed(loaded, Int32Array.of(0)));
      const code = { code: "backend/freed" };
      await expect(backend.loadMatrix(matrix.view)).rejects.toMatchObject(code);
      await expect(backend.loadVector(vector.view)).rejects.toMatchObject(code);
      await expect(backend.loadExperts(views)).rejects.toMatchObject(code);
      expect(() => backend.createCache(spec)).toThrow(expect.objectContaining(code));
      await backend.close();
      expect(backend.usage()).toEqual({ tensors: 0, weights: 0, caches: 0, bytes: 0 });
    },
  },
  {
    name: "many rounds of work leave nothing behind",
    async run({ backend }) {
      const x = await sample(backend);
      const weight = await backend.loadMatrix(randomMatrix(random(51), 64, 64).view);
      const before = backend.usage();
      for (let i = 0; i < 200; i++) {
        const cache = backend.createCache(spec);
        const y = backend.scope(() => backend.add(backend.linear(x, weight), x));
        await backend.read(y);
        backend.free(y);
        backend.freeCache(cache);
      }
      expect(backend.usage()).toEqual(before);
    },
  },
];
