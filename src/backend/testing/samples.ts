// Random weights and activations for the conformance suite, each with its values in f64 beside what a backend is given.
// Seeded: the same suite meets every backend with the same numbers.

import {
  bf16ToF32,
  bytesPerElement,
  type DType,
  elementCount,
  f16ToF32,
  f32ToBf16,
  f32ToF16,
  mxfp4Values,
  type Random,
  type TensorView,
} from "../../base/index.ts";
import type { Backend, ExpertViews, Mxfp4View, Tensor } from "../backend.ts";

/** Values `[rows, cols]` in the precision of the arithmetic that judges. */
export interface Table {
  readonly rows: number;
  readonly cols: number;
  readonly values: Float64Array;
}

/** A weight as a file would hold it, and the values that it stands for. */
export interface Weight extends Table {
  readonly view: TensorView;
}

export interface ExpertWeights {
  readonly views: ExpertViews;
  readonly experts: number;
  readonly hidden: number;
  readonly intermediate: number;
  /** Element i of `[E, 2·I, D]`, decoded when asked for: as a table, real widths would take a gigabyte. */
  readonly gateUp: (i: number) => number;
  /** `[E, 2·I]` */
  readonly gateUpBias: Table;
  /** Element i of `[E, D, I]` */
  readonly down: (i: number) => number;
  /** `[E, D]` */
  readonly downBias: Table;
}

/** What `make` gives, made when it is first asked for. */
export function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

export function tableOf(rows: number, cols: number, value: (i: number) => number): Table {
  const values = new Float64Array(rows * cols);
  for (let i = 0; i < values.length; i++) values[i] = value(i);
  return { rows, cols, values };
}

/** Activations: f32 values, so that every backend is given exactly these. */
export function normals(random: Random, rows: number, cols: number, scale = 1): Table {
  return tableOf(rows, cols, () => Math.fround(random.normal() * scale));
}

export function rowsOf(table: Table, from: number, count: number): Table {
  const { cols, values } = table;
  return { rows: count, cols, values: values.subarray(from * cols, (from + count) * cols) };
}

/** The bytes lie one past a word's boundary, as they may in a file. */
export function memoryView(
  name: string,
  dtype: DType,
  shape: readonly number[],
  bytes: Uint8Array,
): TensorView {
  const shifted = new Uint8Array(bytes.byteLength + 1);
  shifted.set(bytes, 1);
  return { name, dtype, shape, byteLength: bytes.byteLength, read: async () => shifted.subarray(1) };
}

/** A weight that stores `table` as `dtype`; its values are what is left after rounding. */
export function weightOf(table: Table, dtype: "F32" | "F16" | "BF16", shape?: readonly number[]): Weight {
  const { rows, cols } = table;
  const bytes = new Uint8Array(rows * cols * bytesPerElement[dtype]);
  const data = new DataView(bytes.buffer);
  const values = table.values.map((value, i) => {
    if (dtype === "F32") {
      data.setFloat32(4 * i, value, true);
      return Math.fround(value);
    }
    const bits = dtype === "BF16" ? f32ToBf16(value) : f32ToF16(value);
    data.setUint16(2 * i, bits, true);
    return dtype === "BF16" ? bf16ToF32(bits) : f16ToF32(bits);
  });
  const view = memoryView(`test ${dtype} ${rows}x${cols}`, dtype, shape ?? [rows, cols], bytes);
  return { rows, cols, values, view };
}

/** A random matrix `[rows, cols]` that keeps activations about as large as they were; uniform, because there are many. */
export function randomMatrix(
  random: Random,
  rows: number,
  cols: number,
  dtype: "F32" | "F16" | "BF16" = "BF16",
): Weight {
  const scale = Math.sqrt(12 / cols) / 2 ** 32;
  return weightOf(
    tableOf(rows, cols, () => (random.uint32() - 2 ** 31) * scale),
    dtype,
  );
}

export function randomVector(random: Random, length: number, scale = 1): Weight {
  return weightOf(normals(random, 1, length, scale), "BF16", [length]);
}

/** Scales that make both gate and linear pass swiglu's limit now and then, which a test of it needs. */
export function randomExperts(
  random: Random,
  experts: number,
  hidden: number,
  intermediate: number,
): ExpertWeights {
  const gateUp = randomMxfp4(random, [experts, 2 * intermediate, hidden], 4);
  const down = randomMxfp4(random, [experts, hidden, intermediate], 0.5);
  const bias = (cols: number): Weight => weightOf(normals(random, experts, cols), "BF16");
  const [gateUpBias, downBias] = [bias(2 * intermediate), bias(hidden)];
  const views: ExpertViews = {
    gateUp: gateUp.view,
    gateUpBias: gateUpBias.view,
    down: down.view,
    downBias: downBias.view,
  };
  return {
    views,
    experts,
    hidden,
    intermediate,
    gateUp: gateUp.value,
    gateUpBias,
    down: down.value,
    downBias,
  };
}

/** `size` is roughly the standard deviation of a row's product with normal activations. */
function randomMxfp4(
  random: Random,
  [experts, rows, cols]: readonly [number, number, number],
  size: number,
): { readonly view: Mxfp4View; readonly value: (i: number) => number } {
  const blockShape = [experts, rows, cols / 32, 16];
  const blocks = new Uint8Array(elementCount(blockShape));
  const words = new Uint32Array(blocks.buffer);
  for (let i = 0; i < words.length; i++) words[i] = random.uint32();
  const exponent = Math.round(127 + Math.log2(size / (3 * Math.sqrt(cols)))); // 3: about what E2M1 values spread
  const scales = Uint8Array.from({ length: blocks.length / 16 }, () => exponent - 1 + (random.uint32() % 3));
  const powers = Float64Array.from({ length: 256 }, (_, stored) => 2 ** (stored - 127));
  const value = (i: number): number => {
    const byte = blocks[i >> 1];
    return mxfp4Values[i % 2 === 0 ? byte & 15 : byte >> 4] * powers[scales[i >> 5]];
  };
  return {
    view: {
      blocks: memoryView("test blocks", "U8", blockShape, blocks),
      scales: memoryView("test scales", "U8", blockShape.slice(0, 3), scales),
    },
    value,
  };
}

/** Activations on the backend: rows of an f32 table, looked up. */
export async function upload(backend: Backend, table: Table): Promise<Tensor> {
  if (table.rows === 0) {
    const one = await upload(
      backend,
      tableOf(1, table.cols, () => 0),
    );
    return backend.gather(one, new Int32Array());
  }
  const matrix = await backend.loadMatrix(weightOf(table, "F32").view, "embed");
  return backend.embed(
    matrix,
    Int32Array.from({ length: table.rows }, (_, i) => i),
  );
}
