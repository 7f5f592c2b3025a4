import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { f16ToF32, f32ToF16, random, type StoredBlocks, type TensorView } from "../../base/index.ts";
import type { Backend } from "../backend.ts";
import { relativeError } from "../testing/oracle.ts";
import { normals, type Table, tableOf, upload, weightOf } from "../testing/samples.ts";
import { createNativeBackend } from "./native.ts";
import { forEachVariant } from "./testing/for-each-variant.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gpt-oss-stored-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A Q8_0 matrix in a file, at an odd offset as files have it, and the values that it stands for. */
function q8Matrix(rows: number, cols: number): { readonly view: TensorView; readonly table: Table } {
  const source = random(5);
  const bytes = new Uint8Array(3 + (rows * cols * 34) / 32);
  const data = new DataView(bytes.buffer, 3);
  for (let block = 0; block < (rows * cols) / 32; block++) {
    data.setUint16(block * 34, f32ToF16(0.001 + (source.uint32() % 1000) / 1e5), true);
    for (let i = 0; i < 32; i++) data.setInt8(block * 34 + 2 + i, (source.uint32() % 255) - 127);
  }
  const path = join(folder, `q8-${rows}x${cols}`);
  writeFileSync(path, bytes);
  const table = tableOf(rows, cols, (i) => {
    const block = Math.floor(i / 32) * 34;
    return f16ToF32(data.getUint16(block, true)) * data.getInt8(block + 2 + (i % 32));
  });
  const stored: StoredBlocks = { type: "q8_0", path, offset: 3 };
  const read = (): never => {
    throw new Error("a copy was made");
  };
  return {
    view: { name: "q8", dtype: "BF16", shape: [rows, cols], byteLength: rows * cols * 2, stored, read },
    table,
  };
}

async function withBackend<T>(
  options: Parameters<typeof createNativeBackend>[0],
  work: (backend: Backend) => Promise<T>,
): Promise<T> {
  const backend = createNativeBackend(options);
  try {
    return await work(backend);
  } finally {
    await backend.close();
  }
}

forEachVariant((kernels) => {
  describe(`Q8_0 where it lies in the file, ${kernels}`, () => {
    test("rows are looked up exactly, in the memory of the file", async () => {
      const { view, table } = q8Matrix(37, 96);
      await withBackend({ kernels }, async (backend) => {
        const matrix = await backend.loadMatrix(view, "embed");
        expect(backend.usage().bytes).toBeLessThan(37 * 96);
        const got = await backend.read(backend.embed(matrix, Int32Array.of(36, 0, 5)));
        const want = [36, 0, 5].flatMap((row) => [...table.values.subarray(row * 96, (row + 1) * 96)]);
        expect([...got]).toEqual(want);
      });
    });

    test("products agree with those of the same values in floats", async () => {
      const { view, table } = q8Matrix(37, 96);
      for (const rows of [1, 9, 40]) {
        const x = normals(random(6), rows, 96);
        await withBackend({ kernels }, async (backend) => {
          const [matrix, same] = [
            await backend.loadMatrix(view),
            await backend.loadMatrix(weightOf(table, "F32").view),
          ];
          const input = await upload(backend, x);
          const got = await backend.read(backend.linear(input, matrix));
          const want = await backend.read(backend.linear(input, same));
          expect([...got]).toEqual([...want]); // both are rounded to the same 8 bits when they are loaded
        });
      }
    });

    test("a matrix to look up in can be multiplied, too", async () => {
      const { view, table } = q8Matrix(300, 96); // more than the rows that are widened at once
      const x = normals(random(6), 2, 96);
      await withBackend({ kernels }, async (backend) => {
        const matrix = await backend.loadMatrix(view, "embed");
        const got = await backend.read(backend.linear(await upload(backend, x), matrix));
        const want = tableOf(2, 300, (i) => {
          const [row, out] = [Math.floor(i / 300), i % 300];
          let sum = 0;
          for (let k = 0; k < 96; k++) sum += x.values[row * 96 + k] * table.values[out * 96 + k];
          return sum;
        });
        // Sums are f32, in another order than the f64 here.
        expect(relativeError(got, want)).toBeLessThan(1e-5);
      });
    });
  });
});
