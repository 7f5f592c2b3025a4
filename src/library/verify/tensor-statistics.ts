// What is in a checkpoint's tensors, read once from end to end in little memory: numbers that are none, weights that are
// all zero (a hole in a file, or an expert that never learned), the range of scales and norms. Knows storage types; not
// what a layer computes.

import { bf16ToF32, bytesPerElement, f16ToF32, type TensorView } from "../../base/index.ts";
import { type Checkpoint, inventory, type TensorSpec } from "../../checkpoint/index.ts";
import type { Check, VerifyProgress } from "./check.ts";
import { shortList } from "./check.ts";

export interface TensorStatistics {
  readonly tensors: number;
  readonly bytes: number;
  /** NaN, infinities, and MXFP4 scales that stand for NaN. */
  readonly nonFinite: number;
  /** Names of the tensors that have any. */
  readonly nonFiniteTensors: readonly string[];
  /** Matrices and norms that are zero throughout. */
  readonly zeroTensors: readonly string[];
  /** Experts of which a matrix is zero throughout, as `layer.expert`. */
  readonly deadExperts: readonly string[];
  /** Rows of experts' matrices that are zero; a few are usual. */
  readonly zeroExpertRows: number;
  /** Largest magnitude of dense weights. */
  readonly largest: number;
  readonly norms: Range;
  /** Powers of two. */
  readonly scales: Range;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
}

export async function scanTensors(
  checkpoint: Checkpoint,
  { signal, onProgress }: ScanOptions = {},
): Promise<TensorStatistics> {
  const specs = inventory(checkpoint.config);
  const views = specs.map(({ name }) => checkpoint.tensor(name));
  const total = views.reduce((sum, { byteLength }) => sum + byteLength, 0);
  const found = startFindings();
  let done = 0;
  for (const [i, spec] of specs.entries()) {
    const scan = scannerOf(spec, views[i], found);
    for (let start = 0; start < views[i].byteLength; start += scan.chunkBytes) {
      signal?.throwIfAborted();
      const end = Math.min(start + scan.chunkBytes, views[i].byteLength);
      scan.add(aligned(await views[i].read(start, end)), start);
      done += end - start;
      onProgress?.({ check: "tensors", done, total });
    }
    scan.end();
  }
  return { ...found, nonFiniteTensors: [...found.nonFiniteTensors], tensors: specs.length, bytes: total };
}

export function tensorCheck(statistics: TensorStatistics): Check {
  const { tensors, nonFinite, nonFiniteTensors, zeroTensors, deadExperts, norms, scales } = statistics;
  const faults = [
    ...(nonFinite > 0 ? [`${nonFinite} values are not numbers, in ${shortList(nonFiniteTensors)}`] : []),
    ...(zeroTensors.length > 0 ? [`all zero: ${shortList(zeroTensors)}`] : []),
    ...(deadExperts.length > 0 ? [`dead experts (layer.expert): ${shortList(deadExperts)}`] : []),
  ];
  const found = [
    `${tensors} tensors, all as the config says`,
    "every number finite, no dead expert",
    `norms ${format(norms.min)} to ${format(norms.max)}`,
    `scales 2^${scales.min} to 2^${scales.max}`,
  ];
  return {
    name: "tensors",
    status: faults.length > 0 ? "failed" : "passed",
    detail: (faults.length > 0 ? faults : found).join("; "),
    figures: {
      tensors,
      bytes: statistics.bytes,
      nonFinite,
      nonFiniteTensors,
      zeroTensors,
      deadExperts,
      zeroExpertRows: statistics.zeroExpertRows,
      largestWeight: statistics.largest,
      smallestNorm: norms.min,
      largestNorm: norms.max,
      smallestScaleExponent: scales.min,
      largestScaleExponent: scales.max,
    },
  };
}

const format = (value: number): string => Number(value.toPrecision(3)).toString();

interface Findings {
  nonFinite: number;
  readonly nonFiniteTensors: Set<string>;
  readonly zeroTensors: string[];
  readonly deadExperts: string[];
  zeroExpertRows: number;
  largest: number;
  norms: { min: number; max: number };
  scales: { min: number; max: number };
}

function startFindings(): Findings {
  const empty = () => ({ min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY });
  return {
    nonFinite: 0,
    nonFiniteTensors: new Set(),
    zeroTensors: [],
    deadExperts: [],
    zeroExpertRows: 0,
    largest: 0,
    norms: empty(),
    scales: empty(),
  };
}

interface Scanner {
  /** Whole rows where rows count. */
  readonly chunkBytes: number;
  add(bytes: Uint8Array, start: number): void;
  end(): void;
}

const usualChunkBytes = 2 ** 22;

function scannerOf(spec: TensorSpec, view: TensorView, found: Findings): Scanner {
  if (spec.name.endsWith("_blocks")) return blockScanner(spec, found);
  if (spec.name.endsWith("_scales")) return scaleScanner(spec, found);
  return denseScanner(spec, view, found);
}

/** Sign and magnitude as the file's bits: magnitudes compare as whole numbers, and from `infinity` on are no numbers. */
const floats = {
  BF16: { magnitude: 0x7fff, infinity: 0x7f80, decode: bf16ToF32 },
  F16: { magnitude: 0x7fff, infinity: 0x7c00, decode: f16ToF32 },
  F32: { magnitude: 0x7fffffff, infinity: 0x7f800000, decode: floatOfBits },
} as const;

function floatOfBits(bits: number): number {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}

function denseScanner(spec: TensorSpec, { dtype }: TensorView, found: Findings): Scanner {
  const { magnitude, infinity, decode } = floats[dtype as keyof typeof floats];
  const isNorm = spec.part === "norm";
  let largest = 0;
  return {
    chunkBytes: usualChunkBytes,
    add(bytes) {
      const values = bytesPerElement[dtype] === 2 ? words16(bytes) : words32(bytes);
      let bad = 0;
      for (let i = 0; i < values.length; i++) {
        const size = values[i] & magnitude;
        if (size >= infinity) bad++;
        else if (size > largest) largest = size;
        if (isNorm && size < infinity) widen(found.norms, decode(values[i]));
      }
      if (bad > 0) found.nonFiniteTensors.add(spec.name);
      found.nonFinite += bad;
    },
    end() {
      found.largest = Math.max(found.largest, decode(largest));
      // Biases may well be zero: not every fine-tune has any.
      if (largest === 0 && !spec.name.endsWith("bias")) found.zeroTensors.push(spec.name);
    },
  };
}

/** `[E, rows, blocks, 16]`; the sign of a zero is the highest bit of its nibble. */
function blockScanner({ name, shape }: TensorSpec, found: Findings): Scanner {
  const [experts, rows, blocks] = shape;
  const rowWords = (blocks * 16) / 4;
  const isAlive = new Uint8Array(experts);
  return {
    chunkBytes: Math.max(1, Math.floor(usualChunkBytes / (rowWords * 4))) * rowWords * 4,
    add(bytes, start) {
      const words = words32(bytes);
      const firstRow = start / (rowWords * 4);
      for (let row = 0; row * rowWords < words.length; row++) {
        const end = (row + 1) * rowWords;
        let at = row * rowWords;
        while (at < end && (words[at] & 0x77777777) === 0) at++;
        if (at < end) isAlive[Math.floor((firstRow + row) / rows)] = 1;
        else found.zeroExpertRows++;
      }
    },
    end() {
      const layer = /\d+/.exec(name)?.[0];
      for (const [expert, alive] of isAlive.entries()) {
        const dead = `${layer}.${expert}`;
        if (!alive && !found.deadExperts.includes(dead)) found.deadExperts.push(dead);
      }
    },
  };
}

/** E8M0: an exponent biased by 127; 255 stands for NaN. https://www.opencompute.org/documents/ocp-microscaling-formats-mx-v1-0-spec-final-pdf */
function scaleScanner({ name }: TensorSpec, found: Findings): Scanner {
  return {
    chunkBytes: usualChunkBytes,
    add(bytes) {
      let [min, max, bad] = [255, 0, 0];
      for (let i = 0; i < bytes.length; i++) {
        const scale = bytes[i];
        if (scale === 255) bad++;
        else {
          if (scale < min) min = scale;
          if (scale > max) max = scale;
        }
      }
      if (bad > 0) found.nonFiniteTensors.add(name);
      found.nonFinite += bad;
      if (min > max) return; // none is a number
      widen(found.scales, min - 127);
      widen(found.scales, max - 127);
    },
    end: () => {},
  };
}

function widen(range: { min: number; max: number }, value: number): void {
  range.min = Math.min(range.min, value);
  range.max = Math.max(range.max, value);
}

const words16 = (bytes: Uint8Array): Uint16Array =>
  new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 2);
const words32 = (bytes: Uint8Array): Int32Array =>
  new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);

/** On a boundary that typed arrays can lie on. */
const aligned = (bytes: Uint8Array): Uint8Array => (bytes.byteOffset % 4 === 0 ? bytes : bytes.slice());
