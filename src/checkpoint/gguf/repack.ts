// Rearranging MXFP4 between the safetensors and the GGUF layouts: bytes in, bytes out, every bit kept. Works on words of
// four bytes, at 1 GB/s or more; a block is a function of its own because V8 compiles loops of small functions best.

const hfBlockBytes = 16;
const ggufBlockBytes = 17;

/** Which rows of the safetensors layout are meant: gate and linear rows alternate there and lie apart in GGUF. */
export interface RowStep {
  readonly blocksPerRow: number;
  readonly first?: number;
  readonly stride?: number;
}

/**
 * `blocks` `[rows, blocksPerRow, 16]` with even elements in low nibbles, and `scales` `[rows, blocksPerRow]` → GGUF's
 * 17-byte blocks, exponent first, elements 0..15 in low and 16..31 in high nibbles. Takes every `stride`-th row.
 */
export function mxfp4ToGguf(blocks: Uint8Array, scales: Uint8Array, step: RowStep): Uint8Array {
  const { blocksPerRow, first = 0, stride = 1 } = step;
  const rows = Math.ceil((scales.length / blocksPerRow - first) / stride);
  const out = new Uint8Array(rows * blocksPerRow * ggufBlockBytes);
  const [from, to] = [viewOf(blocks), viewOf(out)];
  for (let row = 0, at = 0; row < rows; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++, at += ggufBlockBytes) {
      out[at] = scales[b];
      packBlock(from, b * hfBlockBytes, to, at + 1);
    }
  }
  return out;
}

/** The order of a 17-byte block's nibbles: ggml's, or that of safetensors, which Ollama's first files kept. */
export type NibbleOrder = "ggml" | "safetensors";

/** The inverse: the rows of `gguf` into every `stride`-th row of `blocks`. */
export function blocksFromGguf(
  gguf: Uint8Array,
  blocks: Uint8Array,
  { blocksPerRow, first = 0, stride = 1, order = "ggml" }: RowStep & { readonly order?: NibbleOrder },
): void {
  const rows = gguf.length / (blocksPerRow * ggufBlockBytes);
  const [from, to] = [viewOf(gguf), viewOf(blocks)];
  const move = order === "ggml" ? unpackBlock : copyBlock;
  for (let row = 0, at = 1; row < rows; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++, at += ggufBlockBytes)
      move(from, at, to, b * hfBlockBytes);
  }
}

/** The same for the exponents: those of the rows of `gguf` into every `stride`-th row of `scales`. */
export function scalesFromGguf(
  gguf: Uint8Array,
  scales: Uint8Array,
  { blocksPerRow, first = 0, stride = 1 }: RowStep,
): void {
  const rows = gguf.length / (blocksPerRow * ggufBlockBytes);
  for (let row = 0, at = 0; row < rows; row++) {
    const block = (first + row * stride) * blocksPerRow;
    for (let b = block; b < block + blocksPerRow; b++, at += ggufBlockBytes) scales[b] = gguf[at];
  }
}

/** Of a safetensors block, words 0 and 1 hold the elements 0..15, words 2 and 3 the elements 16..31. */
function packBlock(from: DataView, at: number, to: DataView, out: number): void {
  for (let half = 0; half < 8; half += 4) {
    const low = from.getInt32(at + half, true);
    const high = from.getInt32(at + 8 + half, true);
    to.setInt32(out + 2 * half, spread(low & 0xffff) | (spread(high & 0xffff) << 4), true);
    to.setInt32(out + 2 * half + 4, spread(low >>> 16) | (spread(high >>> 16) << 4), true);
  }
}

function unpackBlock(from: DataView, at: number, to: DataView, out: number): void {
  for (let half = 0; half < 8; half += 4) {
    const one = from.getInt32(at + 2 * half, true);
    const two = from.getInt32(at + 2 * half + 4, true);
    to.setInt32(out + half, gather(one) | (gather(two) << 16), true);
    to.setInt32(out + 8 + half, gather(one >>> 4) | (gather(two >>> 4) << 16), true);
  }
}

function copyBlock(from: DataView, at: number, to: DataView, out: number): void {
  for (let word = 0; word < 16; word += 4) to.setInt32(out + word, from.getInt32(at + word, true), true);
}

/** Four nibbles of 16 bits → the low nibbles of four bytes. */
function spread(bits: number): number {
  const bytes = (bits | (bits << 8)) & 0x00ff00ff;
  return (bytes | (bytes << 4)) & 0x0f0f0f0f;
}

/** The low nibbles of four bytes → 16 bits. */
function gather(bits: number): number {
  const nibbles = bits & 0x0f0f0f0f;
  const bytes = (nibbles | (nibbles >>> 4)) & 0x00ff00ff;
  return (bytes | (bytes >>> 8)) & 0xffff;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
