// A checkpoint → the bytes of a GGUF file, streamed: a few megabytes are in memory at a time. MXFP4 keeps every bit;
// large dense tensors become BF16 (unchanged) or Q8_0, small ones F32, as llama.cpp's own converter decides.

import { elementCount, GptOssError, type TensorView } from "../../base/index.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { FileStream } from "../file-stream.ts";
import { encodeGgufHeader } from "../gguf/encode-header.ts";
import { alignUp, type GgmlType, type GgufTensorInfo, ggmlByteLength } from "../gguf/format.ts";
import { type GgufVocabulary, ggufMetadata } from "../gguf/metadata.ts";
import { ggufName } from "../gguf/names.ts";
import { bf16ToF32Bytes, bf16ToQ8, mxfp4ToGguf, strided } from "../gguf/repack.ts";
import { inventory } from "../inventory.ts";

/** Bytes of a source tensor that are converted at once. */
const chunkBytes = 8 << 20;

export interface ToGgufOptions {
  /** `general.name`: what programs call the model. */
  readonly name: string;
  /** Storage of attention, embedding and unembedding. */
  readonly dense: "BF16" | "Q8_0";
}

interface PlannedTensor {
  readonly info: GgufTensorInfo;
  chunks(): AsyncGenerator<Uint8Array>;
}

/** Plans the whole file; nothing is read before `chunks` is iterated. */
export function toGguf(
  checkpoint: Checkpoint,
  vocabulary: GgufVocabulary,
  options: ToGgufOptions,
): FileStream {
  const tensors = planTensors(checkpoint, options.dense);
  const metadata = ggufMetadata(checkpoint.config, vocabulary, options);
  const { header, dataBytes } = encodeGgufHeader(
    metadata,
    tensors.map((tensor) => tensor.info),
  );
  return {
    byteLength: header.length + dataBytes,
    async *chunks() {
      yield header;
      for (const { info, chunks } of tensors) {
        yield* chunks();
        const length = ggmlByteLength(info.type, info.shape);
        const padding = alignUp(length) - length;
        if (padding > 0) yield new Uint8Array(padding);
      }
    },
  };
}

function planTensors(checkpoint: Checkpoint, dense: "BF16" | "Q8_0"): PlannedTensor[] {
  return inventory(checkpoint.config).flatMap(({ name, shape }): PlannedTensor[] => {
    if (name.endsWith("_scales")) return []; // written with their blocks
    if (name.endsWith("_blocks")) return planExperts(checkpoint, name.slice(0, -"_blocks".length));
    if (name.endsWith("gate_up_proj_bias")) return planGateUpBias(checkpoint.tensor(name));
    const isLarge = shape.length === 2 && !name.includes(".router.") && !name.includes(".experts.");
    return [planDense(checkpoint.tensor(name), name, isLarge ? dense : "F32")];
  });
}

function planDense(view: TensorView, name: string, wanted: GgmlType): PlannedTensor {
  requireBf16(view);
  const blockFits = view.shape[view.shape.length - 1] % 32 === 0;
  const type = wanted === "Q8_0" && !blockFits ? "BF16" : wanted;
  const to = ggufName(name);
  if (to === undefined) throw unknownName(name);
  return {
    info: { name: to, type, shape: view.shape },
    chunks: () =>
      convertChunks(view, 64, type === "F32" ? bf16ToF32Bytes : type === "Q8_0" ? bf16ToQ8 : same),
  };
}

/** One MXFP4 tensor of the checkpoint: gate_up becomes two, its alternating rows taken apart. */
function planExperts(checkpoint: Checkpoint, prefix: string): PlannedTensor[] {
  const blocks = checkpoint.tensor(`${prefix}_blocks`);
  const scales = checkpoint.tensor(`${prefix}_scales`);
  const [experts, rows, blocksPerRow] = scales.shape;
  const plan = (name: string, first: number, stride: number): PlannedTensor => ({
    info: { name, type: "MXFP4", shape: [experts, rows / stride, blocksPerRow * 32] },
    async *chunks() {
      const rowsAtOnce = Math.max(1, Math.floor(chunkBytes / (blocksPerRow * 17 * stride))) * stride;
      for (let row = 0; row < experts * rows; row += rowsAtOnce) {
        const block = row * blocksPerRow;
        const end = Math.min(row + rowsAtOnce, experts * rows) * blocksPerRow;
        const [someBlocks, someScales] = await Promise.all([
          blocks.read(block * 16, end * 16),
          scales.read(block, end),
        ]);
        yield mxfp4ToGguf(someBlocks, someScales, { blocksPerRow, first, stride });
      }
    },
  });
  if (!prefix.endsWith("gate_up_proj")) {
    const name = ggufName(prefix);
    if (name === undefined) throw unknownName(prefix);
    return [plan(name, 0, 1)];
  }
  const layer = layerOf(prefix);
  return [plan(`blk.${layer}.ffn_gate_exps.weight`, 0, 2), plan(`blk.${layer}.ffn_up_exps.weight`, 1, 2)];
}

function planGateUpBias(view: TensorView): PlannedTensor[] {
  requireBf16(view);
  const [experts, rows] = view.shape;
  const plan = (part: "gate" | "up", first: number): PlannedTensor => ({
    info: {
      name: `blk.${layerOf(view.name)}.ffn_${part}_exps.bias`,
      type: "F32",
      shape: [experts, rows / 2],
    },
    chunks: () => convertChunks(view, 4, (bytes) => bf16ToF32Bytes(strided(bytes, 2, { first, stride: 2 }))),
  });
  return [plan("gate", 0), plan("up", 1)];
}

/** Streams a view through `convert`; chunk sizes are multiples of `unitBytes`. */
async function* convertChunks(
  view: TensorView,
  unitBytes: number,
  convert: (bytes: Uint8Array) => Uint8Array,
): AsyncGenerator<Uint8Array> {
  const step = Math.floor(chunkBytes / unitBytes) * unitBytes;
  for (let start = 0; start < view.byteLength; start += step) {
    yield convert(await view.read(start, Math.min(start + step, view.byteLength)));
  }
}

const same = (bytes: Uint8Array): Uint8Array => bytes;

function layerOf(name: string): string {
  const match = /^model\.layers\.(\d+)\./.exec(name);
  if (!match) throw unknownName(name);
  return match[1];
}

function requireBf16(view: TensorView): void {
  if (view.dtype === "BF16") return;
  throw new GptOssError("checkpoint/wrong-dtype", {
    message: `${view.name} is ${view.dtype} ${elementCount(view.shape)} values; converting to GGUF expects BF16`,
    hint: "convert a checkpoint as published: MXFP4 experts, everything else BF16",
  });
}

function unknownName(name: string): GptOssError {
  return new GptOssError("checkpoint/bad-tensor", { message: `${name} has no name in GGUF files` });
}
