// Values → Q8_0: an f16 scale and 32 signed bytes a block, as ggml's quantize_row_q8_0 makes them. Small functions, one
// for each pass over a block, run five times as fast as one loop that does all: V8 gives up on the large one.

import { bytesPerElement, type DType, f32ToF16 } from "../../base/index.ts";
import { floatsOf, halvesOf } from "../numbers/rows.ts";
import { halfAt } from "./half.ts";

const blockValues = 32;
const blockBytes = 34;

export interface EncodedQ8 {
  readonly encoded: Uint8Array<ArrayBuffer>;
  readonly values: number;
  /** Sum of the values' squares, and of the errors'. */
  readonly squares: number;
  readonly errorSquares: number;
  readonly largestError: number;
}

/** Whole blocks of floats of any storage type. What was lost is measured on the way, where it costs little. */
export function encodeQ8(dtype: DType, bytes: Uint8Array): EncodedQ8 {
  const load = loader(dtype, bytes);
  const values = bytes.length / bytesPerElement[dtype];
  const encoded = new Uint8Array((values / blockValues) * blockBytes);
  const steps = new Int8Array(encoded.buffer);
  let squares = 0;
  let errorSquares = 0;
  let largestError = 0;
  for (let first = 0, at = 0; first < values; first += blockValues, at += blockBytes) {
    load(first);
    const scale = Math.fround(largestMagnitude() / 127);
    const half = f32ToF16(scale);
    encoded[at] = half & 0xff;
    encoded[at + 1] = half >>> 8;
    store(scale === 0 ? 0 : Math.fround(1 / scale), steps, at + 2);
    const stored = halfAt(encoded, at);
    squares += sumOfSquares();
    errorSquares += sumOfErrors(stored, steps, at + 2);
    // Half a step, and 127 times what f16 takes from the scale: few blocks can have the largest error.
    if (scale * (0.5 + 127 / 2048) >= largestError)
      largestError = Math.max(largestError, largestErrorOf(stored, steps, at + 2));
  }
  return { encoded, values, squares, errorSquares, largestError };
}

/** The block at hand. Passes over it stay in the first cache, and no chunk is held twice. */
const block = new Float32Array(blockValues);
const blockBits = new Int32Array(block.buffer);

/** → writes the block that begins at a value. */
function loader(dtype: DType, bytes: Uint8Array): (first: number) => void {
  if (dtype !== "BF16") {
    const values = floatsOf(dtype, bytes);
    return (first) => block.set(values.subarray(first, first + blockValues));
  }
  const halves = halvesOf(bytes);
  return (first) => widen(halves, first);
}

function widen(halves: Uint16Array, first: number): void {
  for (let i = 0; i < blockValues; i++) blockBits[i] = halves[first + i] << 16;
}

/** Floats without their sign are in the order of their bits. No branch: it would be a coin toss. */
function largestMagnitude(): number {
  let largest = 0;
  for (let i = 0; i < blockValues; i++) {
    const ahead = largest - (blockBits[i] & 0x7fffffff);
    largest -= ahead & (ahead >> 31);
  }
  return floatOf(largest);
}

/** Nearest step. What lies exactly between two is anyone's: ggml's own code rounds it up here and to even there. */
function store(inverse: number, steps: Int8Array, at: number): void {
  for (let i = 0; i < blockValues; i++) steps[at + i] = ((block[i] * inverse + 128.5) | 0) - 128;
}

function sumOfSquares(): number {
  let sum = 0;
  for (let i = 0; i < blockValues; i++) sum += block[i] * block[i];
  return sum;
}

function sumOfErrors(scale: number, steps: Int8Array, at: number): number {
  let sum = 0;
  for (let i = 0; i < blockValues; i++) {
    const error = block[i] - scale * steps[at + i];
    sum += error * error;
  }
  return sum;
}

function largestErrorOf(scale: number, steps: Int8Array, at: number): number {
  let largest = 0;
  for (let i = 0; i < blockValues; i++)
    largest = Math.max(largest, Math.abs(block[i] - scale * steps[at + i]));
  return largest;
}

const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

function floatOf(bits: number): number {
  floatBits[0] = bits;
  return float[0];
}
