// BF16 ⇄ MXFP4 in the safetensors layout, as the reference quantises: triton_kernels' `downcast_to_mxfp`, which OpenAI's
// code and Transformers call on weights in BF16. The scale is the power of two at or above (largest magnitude / 6); a
// value becomes the nearest of 0, .5, 1, 1.5, 2, 3, 4, 6 times it, ties going to the one whose last bit is 0.

import { bf16ToF32, f32ToBf16, GptOssError, mxfp4Scale, mxfp4Values } from "../../base/index.ts";

const blockValues = 32;
const blockBytes = 16;

export interface Mxfp4Bytes {
  /** `[rows, blocksPerRow, 16]`, even elements in low nibbles. */
  readonly blocks: Uint8Array;
  /** `[rows, blocksPerRow]` */
  readonly scales: Uint8Array;
}

/** Which rows of `Mxfp4Bytes` are meant: every `stride`-th from `first` on. */
export interface Mxfp4Rows {
  readonly blocksPerRow: number;
  readonly first?: number;
  readonly stride?: number;
}

/** Rows of BF16 bits into every `stride`-th row; `checkpoint/bad-tensor` where a value is not finite. */
export function encodeMxfp4(name: string, halves: Uint16Array, into: Mxfp4Bytes, rows: Mxfp4Rows): void {
  const { blocksPerRow, first = 0, stride = 1 } = rows;
  const count = halves.length / (blocksPerRow * blockValues);
  for (let row = 0, from = 0; row < count; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++, from += blockValues) {
      const largest = largestMagnitude(halves, from);
      if (largest >= 0x7f80) throw notFinite(name);
      const exponent = scaleExponent(largest);
      into.scales[b] = exponent;
      encodeBlock(halves, from, exponent, { out: into.blocks, at: b * blockBytes });
    }
  }
}

/** Bits of the largest magnitude; no branch, which would be a coin toss. */
function largestMagnitude(halves: Uint16Array, from: number): number {
  let largest = 0;
  for (let i = from; i < from + blockValues; i++) {
    const ahead = largest - (halves[i] & 0x7fff);
    largest -= ahead & (ahead >> 31);
  }
  return largest;
}

const float = new Float32Array(1);
const floatBits = new Int32Array(float.buffer);

/** The exponent byte: largest / 6 in f32, rounded up to a power of two. */
function scaleExponent(largest: number): number {
  floatBits[0] = largest << 16;
  float[0] /= 6;
  return (floatBits[0] + 0x007fffff) >> 23;
}

/**
 * Scaling by a power of two only shifts a bfloat16's exponent, so its scaled bits choose the code from a table. Not so
 * for 0 and what lies below 2^-126, which matters only where the scale is as small.
 */
function encodeBlock(
  halves: Uint16Array,
  from: number,
  exponent: number,
  { out, at }: { readonly out: Uint8Array; readonly at: number },
): void {
  if (exponent < smallestShift) {
    for (let i = 0; i < blockBytes; i++)
      out[at + i] =
        tinyCode(halves[from + 2 * i], exponent) | (tinyCode(halves[from + 2 * i + 1], exponent) << 4);
    return;
  }
  const shift = (127 - exponent) << 7;
  for (let i = 0; i < blockBytes; i++) {
    const even = halves[from + 2 * i];
    const odd = halves[from + 2 * i + 1];
    out[at + i] = codeOf(even, shift) | (codeOf(odd, shift) << 4);
  }
}

function codeOf(half: number, shift: number): number {
  const scaled = (half & 0x7fff) + shift;
  return codes[scaled & ~(scaled >> 31)] | ((half >> 12) & 8);
}

/** From here on, bits without an exponent of their own are shifted to less than half of the smallest value. */
const smallestShift = 8;

function tinyCode(half: number, exponent: number): number {
  const magnitude = bf16ToF32(half & 0x7fff) * 2 ** (127 - exponent);
  return nearestCode(magnitude) | ((half >> 12) & 8);
}

/** Code of a magnitude by its bfloat16 bits, up to 6. */
const codes = Uint8Array.from({ length: 0x40c0 + 1 }, (_, bits) => {
  floatBits[0] = bits << 16;
  return nearestCode(float[0]);
});

function nearestCode(magnitude: number): number {
  let code = 0;
  while (code < 7) {
    const middle = (mxfp4Values[code] + mxfp4Values[code + 1]) / 2;
    if (magnitude < middle || (magnitude === middle && code % 2 === 0)) break;
    code++;
  }
  return code;
}

/** By scale and code: the value's bfloat16 bits, exact unless they overflow or fall below bfloat16's range. */
let decoded: Uint16Array | undefined;

function decodedMxfp4(): Uint16Array {
  decoded ??= Uint16Array.from({ length: 256 * 16 }, (_, i) =>
    f32ToBf16(mxfp4Values[i & 15] * mxfp4Scale(i >> 4)),
  );
  return decoded;
}

/** Every `stride`-th row as BF16 bits. */
export function decodeMxfp4({ blocks, scales }: Mxfp4Bytes, rows: Mxfp4Rows): Uint16Array<ArrayBuffer> {
  const { blocksPerRow, first = 0, stride = 1 } = rows;
  const count = Math.ceil((scales.length / blocksPerRow - first) / stride);
  const out = new Uint16Array(count * blocksPerRow * blockValues);
  const table = decodedMxfp4();
  for (let row = 0, to = 0; row < count; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++, to += blockValues)
      decodeBlock(table, scales[b] << 4, blocks, b * blockBytes, out, to);
  }
  return out;
}

function decodeBlock(
  table: Uint16Array,
  scale: number,
  blocks: Uint8Array,
  at: number,
  out: Uint16Array,
  to: number,
): void {
  for (let i = 0; i < blockBytes; i++) {
    const pair = blocks[at + i];
    out[to + 2 * i] = table[scale | (pair & 15)];
    out[to + 2 * i + 1] = table[scale | (pair >> 4)];
  }
}

function notFinite(name: string): GptOssError {
  return new GptOssError("checkpoint/bad-tensor", {
    message: `${name}: holds an infinity or a NaN, which MXFP4 cannot`,
    hint: "the checkpoint is damaged, or its training diverged",
  });
}
