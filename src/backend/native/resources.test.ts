// What the system gives and takes back: memory that runs out, backends that come and go. Linux counts for us.

import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FilePlace, random, type TensorView } from "../../base/index.ts";
import type { Backend, KvCacheSpec, Matrix } from "../backend.ts";
import { memoryView, randomMatrix } from "../testing/samples.ts";
import { createNativeBackend, type NativeOptions } from "./native.ts";
import { forEachVariant } from "./testing/for-each-variant.ts";

const megabyte = 2 ** 20;
const status = (name: string): number =>
  1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))![1]);

/** Address space of this process: an allocation beyond it fails as it does where memory has run out. */
function limitMemory(bytes: number | "unlimited"): void {
  const { status, stderr } = spawnSync("prlimit", ["--pid", `${process.pid}`, `--as=${bytes}:`]);
  if (status !== 0) throw new Error(String(stderr));
}

/** So much more than there is. Threads that are just starting take address space too: then it is measured again. */
function leaveMemory(bytes: number): void {
  for (let grown = Number.POSITIVE_INFINITY; grown > 4 * megabyte; ) {
    limitMemory("unlimited");
    const before = status("VmSize");
    limitMemory(before + bytes);
    grown = status("VmSize") - before;
  }
}

const isLinux = process.platform === "linux";
const canLimit = isLinux && spawnSync("prlimit", ["--version"]).status === 0;
const spec: KvCacheSpec = {
  kvHeads: 8,
  headDim: 64,
  blockTokens: 32,
  layerGroups: [0],
  groupBlocks: [20_000],
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gpt-oss-resources-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** BF16 zeros in a file without blocks. */
function sparseMatrix(rows: number, cols: number): TensorView & { readonly location: FilePlace } {
  const path = join(folder, `${rows}x${cols}`);
  const file = openSync(path, "w");
  ftruncateSync(file, rows * cols * 2);
  closeSync(file);
  const read = (): never => {
    throw new Error("it lies in a file");
  };
  const location = { path, offset: 0 };
  return { name: "zeros", dtype: "BF16", shape: [rows, cols], byteLength: rows * cols * 2, location, read };
}

forEachVariant((kernels, { best }) => {
  if (!best || !isLinux) return; // memory is the same code for all of them
  describe("resources of the native backend", () => {
    test.skipIf(!canLimit)(
      "memory that runs out is an error, and what is there goes on working",
      async () => {
        const backend = createNativeBackend({ kernels, threads: 2 });
        const small = await backend.loadMatrix(randomMatrix(random(1), 64, 64).view);
        const tall = await backend.loadMatrix(
          memoryView("tall", "BF16", [200_000, 64], new Uint8Array(25.6e6)),
        );
        const table = await backend.loadMatrix(randomMatrix(random(2), 64, 64).view, "embed");
        const x = backend.embed(table, new Int32Array(1000));
        const want = await backend.read(backend.linear(x, small));
        const before = backend.usage();
        const outOfMemory = { code: "backend/out-of-memory" };
        const tooMany: (() => unknown)[] = [
          () => backend.read(backend.gather(backend.linear(x, tall), Int32Array.of(0))), // 800 MB between
          () => backend.createCache(spec), // 1.3 GB
        ];
        let crowd: unknown;
        leaveMemory(200 * megabyte);
        try {
          for (const work of tooMany) {
            await expect(Promise.resolve().then(work)).rejects.toMatchObject(outOfMemory);
          }
          await expect(backend.loadMatrix(sparseMatrix(1_000_000, 512))).rejects.toMatchObject({
            code: "checkpoint/io",
          });
          expect(await backend.read(backend.linear(x, small))).toEqual(want);
          // Last, and only for a moment: stacks take whatever is left, which V8 must not miss.
          crowd = created({ kernels, threads: 1024 });
        } finally {
          limitMemory("unlimited");
        }
        // Fewer threads than were asked for will do, but one must be.
        if (isBackend(crowd)) await crowd.close();
        else expect(crowd).toMatchObject(outOfMemory);
        expect(backend.usage().caches).toBe(before.caches);
        expect(backend.usage().weights).toBe(before.weights);
        await backend.close();
      },
    );

    test.skipIf(!canLimit)("weights that cannot be made ready while nothing is asked for wait", async () => {
      const [rows, cols] = [160, 65_536];
      const { location, ...view } = sparseMatrix(rows, cols);
      const stored = { type: "q8_0", ...location } as const; // rows are widened first: 4 MB for each thread
      const backend = createNativeBackend({ kernels, threads: 16 });
      const table = await backend.loadMatrix(sparseMatrix(1, cols), "embed");
      leaveMemory(48 * megabyte); // enough for the file and 8 bits of it
      let weight: Matrix;
      try {
        weight = await backend.loadMatrix({ ...view, stored });
        await new Promise((done) => setTimeout(done, 100));
      } finally {
        limitMemory("unlimited");
      }
      const answer = await backend.read(backend.linear(backend.embed(table, Int32Array.of(0)), weight));
      expect(answer).toEqual(new Float32Array(rows));
      await backend.close();
    });

    test("backends that come and go leave no thread, no file and no memory", async () => {
      const view = sparseMatrix(1024, 512); // mapped, and rounded to half a megabyte
      const cycle = async (): Promise<void> => {
        const backend = createNativeBackend({ kernels, threads: 3 });
        const weight = await backend.loadMatrix(view);
        const table = await backend.loadMatrix(randomMatrix(random(3), 4, 512).view, "embed");
        backend.createCache({ ...spec, groupBlocks: [16] });
        await backend.read(backend.linear(backend.embed(table, Int32Array.of(0, 1)), weight));
        await backend.close();
      };
      for (let i = 0; i < 20; i++) await cycle();
      const before = await held();
      for (let i = 0; i < 200; i++) await cycle();
      // The system may list a thread that was joined for a moment more.
      await expect.poll(async () => (await held()).threads).toBeLessThanOrEqual(before.threads);
      const after = await held();
      expect(after.files).toBeLessThanOrEqual(before.files);
      expect(after.mapped).toBe(0);
      // One of the 200 holds 1.6 MB; what the heap has grown by is not worth more than twenty.
      expect(after.bytes - before.bytes).toBeLessThan(32 * megabyte);
    });
  });
});

/** The backend, or why there is none. */
function created(options: NativeOptions): unknown {
  try {
    return createNativeBackend(options);
  } catch (error) {
    return error;
  }
}

const isBackend = (value: unknown): value is Backend =>
  typeof value === "object" && value !== null && "close" in value;

/** Of this process, with garbage collected. */
async function held(): Promise<Record<"threads" | "files" | "mapped" | "bytes", number>> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((done) => setTimeout(done, 20)); // finalizers run as tasks of their own
  }
  const maps = readFileSync("/proc/self/maps", "utf8").split("\n");
  return {
    threads: readdirSync("/proc/self/task").length,
    files: readdirSync("/proc/self/fd").length,
    mapped: maps.filter((line) => line.includes(folder)).length,
    bytes: status("VmRSS"),
  };
}
