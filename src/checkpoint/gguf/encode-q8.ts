// Values → Q8_0: an f16 scale and 32 signed bytes a block, as ggml's quantize_row_q8_0 makes them. Small functions, one
// for each pass over a block, run five times as fast as one loop that does all: V8 gives up on the large one.

import { f32ToF16 } from "../../base/index.ts";

const blockValues = 32;
const blockBytes = 34;

export function encodeQ8(values: Float32Array): Uint8Array<ArrayBuffer> {
  const blocks = values.length / blockValues;
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint8Array(blocks * blockBytes);
  for (let block = 0; block < blocks; block++) {
    const first = block * blockValues;
    const scale = Math.fround(floatOf(largest(bits, first)) / 127);
    const half = f32ToF16(scale);
    const at = block * blockBytes;
    out[at] = half & 0xff;
    out[at + 1] = half >>> 8;
    store(values, first, scale === 0 ? 0 : Math.fround(1 / scale), { out, at: at + 2 });
  }
  return out;
}

/** Bits of the largest magnitude: floats without their sign are in the order of their bits. No branch: it would be a coin toss. */
function largest(bits: Int32Array, first: number): number {
  let largest = 0;
  for (let i = first; i < first + blockValues; i++) {
    const ahead = largest - (bits[i] & 0x7fffffff);
    largest -= ahead & (ahead >> 31);
  }
  return largest;
}

/** Nearest step. What lies exactly between two is anyone's: ggml's own code rounds it up here and to even there. */
function store(
  values: Float32Array,
  first: number,
  inverse: number,
  { out, at }: { readonly out: Uint8Array; readonly at: number },
): void {
  for (let i = 0; i < blockValues; i++) out[at + i] = ((values[first + i] * inverse + 128.5) | 0) - 128;
}

const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

function floatOf(bits: number): number {
  floatBits[0] = bits;
  return float[0];
}
