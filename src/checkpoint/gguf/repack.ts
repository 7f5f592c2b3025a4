// Rearranging values between the Hugging Face and the GGUF layouts: bytes in, bytes out. MXFP4 keeps every bit.

import { bf16ToF32, f32ToF16 } from "../../base/index.ts";

const hfBlockBytes = 16;
const ggufBlockBytes = 17;
const q8Values = 32;
const q8Bytes = 34;

/**
 * MXFP4 rows: `blocks` `[rows, blocksPerRow, 16]` with even elements in low nibbles, and `scales` `[rows,
 * blocksPerRow]` → GGUF's 17-byte blocks, exponent first, elements 0..15 in low and 16..31 in high nibbles. Takes every
 * `stride`-th row from `first` on: gate and linear rows alternate in one layout and lie apart in the other.
 */
export function mxfp4ToGguf(
  blocks: Uint8Array,
  scales: Uint8Array,
  { blocksPerRow, first = 0, stride = 1 }: { blocksPerRow: number; first?: number; stride?: number },
): Uint8Array {
  const rows = Math.ceil((scales.length / blocksPerRow - first) / stride);
  const out = new Uint8Array(rows * blocksPerRow * ggufBlockBytes);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++) {
      const from = b * hfBlockBytes;
      out[to] = scales[b];
      for (let i = 0; i < 8; i++) {
        const a = blocks[from + i]; // elements 2i and 2i+1
        const c = blocks[from + 8 + i]; // elements 16+2i and 17+2i
        out[to + 1 + 2 * i] = (a & 15) | ((c & 15) << 4);
        out[to + 2 + 2 * i] = (a >>> 4) | (c & 0xf0);
      }
      to += ggufBlockBytes;
    }
  }
  return out;
}

/** The inverse of `mxfp4ToGguf`: writes the rows of `gguf` into every `stride`-th row of `blocks` and `scales`. */
export function mxfp4FromGguf(
  gguf: Uint8Array,
  into: { readonly blocks: Uint8Array; readonly scales: Uint8Array },
  { blocksPerRow, first = 0, stride = 1 }: { blocksPerRow: number; first?: number; stride?: number },
): void {
  const { blocks, scales } = into;
  const rows = gguf.length / (blocksPerRow * ggufBlockBytes);
  let from = 0;
  for (let row = 0; row < rows; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++) {
      const to = b * hfBlockBytes;
      scales[b] = gguf[from];
      for (let i = 0; i < 8; i++) {
        const even = gguf[from + 1 + 2 * i];
        const odd = gguf[from + 2 + 2 * i];
        blocks[to + i] = (even & 15) | ((odd & 15) << 4);
        blocks[to + 8 + i] = (even >>> 4) | (odd & 0xf0);
      }
      from += ggufBlockBytes;
    }
  }
}

/** BF16 bytes → Q8_0 bytes: an f16 scale and 32 signed bytes a block; ggml's quantize_row_q8_0 rounds half away. */
export function bf16ToQ8(bytes: Uint8Array): Uint8Array {
  const halves = wordsOf(bytes);
  const values = new Float32Array(widen(halves).buffer);
  const blocks = halves.length / q8Values;
  const out = new Uint8Array(blocks * q8Bytes);
  for (let b = 0; b < blocks; b++) {
    const first = b * q8Values;
    // Signs are coin tosses: branching on them would cost more than everything else here.
    let largest = 0;
    for (let i = first; i < first + q8Values; i++) {
      const magnitude = halves[i] & 0x7fff;
      if (magnitude > largest) largest = magnitude;
    }
    const scale = Math.fround(bf16ToF32(largest) / 127);
    const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
    const bits = f32ToF16(scale);
    const at = b * q8Bytes;
    out[at] = bits & 0xff;
    out[at + 1] = bits >>> 8;
    for (let i = 0; i < q8Values; i++) {
      const steps = (Math.abs(Math.fround(values[first + i] * inverse)) + 0.5) | 0;
      const sign = halves[first + i] >> 15;
      out[at + 2 + i] = (steps ^ -sign) + sign; // -steps where the sign is set
    }
  }
  return out;
}

/** BF16 bytes → F32 bytes. */
export function bf16ToF32Bytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(widen(wordsOf(bytes)).buffer);
}

function widen(halves: Uint16Array): Uint32Array {
  const out = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) out[i] = halves[i] << 16;
  return out;
}

function wordsOf(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(buffer, byteOffset, bytes.length / 2);
}

/** Every `stride`-th element of `elementBytes` bytes, from element `first` on. */
export function strided(
  bytes: Uint8Array,
  elementBytes: number,
  { first, stride }: { first: number; stride: number },
): Uint8Array {
  const count = Math.ceil((bytes.length / elementBytes - first) / stride);
  const out = new Uint8Array(count * elementBytes);
  for (let i = 0; i < count; i++) {
    const from = (first + i * stride) * elementBytes;
    for (let b = 0; b < elementBytes; b++) out[i * elementBytes + b] = bytes[from + b];
  }
  return out;
}
