// A checkpoint → the bytes of a GGUF file, streamed: a few megabytes are in memory at a time. MXFP4 keeps every bit;
// large dense tensors become BF16 or Q8_0, small ones F32, as llama.cpp's own converter decides.

import { bytesPerElement, type TensorView } from "../../base/index.ts";
import type { Checkpoint } from "../checkpoint.ts";
import type { FileStream } from "../file-stream.ts";
import { encodeGgufHeader } from "../gguf/encode-header.ts";
import { encodeQ8 } from "../gguf/encode-q8.ts";
import { alignUp, type GgmlType, type GgufTensorInfo, ggmlByteLength } from "../gguf/format.ts";
import { ggufMetadata } from "../gguf/metadata.ts";
import { expertNames, ggufNames, splitLayer } from "../gguf/names.ts";
import { mxfp4ToGguf } from "../gguf/repack.ts";
import type { GgufVocabulary } from "../gguf/vocabulary.ts";
import { type ExpertStorage, inventory } from "../inventory.ts";
import { decodeMxfp4 } from "../numbers/mxfp4.ts";
import type { OnRounding } from "../numbers/rounding.ts";
import { bytesOf, floatsOf } from "../numbers/rows.ts";
import { readAhead } from "../read-ahead.ts";
import { bf16View } from "./bf16-view.ts";

/** Bytes of a source tensor that are converted at once. */
const chunkBytes = 2 ** 20;

/** How attention, embedding and unembedding are stored. */
export type DenseFormat = "bf16" | "q8_0";

export interface ToGgufOptions {
  /** `general.name`: what programs call the model. */
  readonly name: string;
  readonly dense: DenseFormat;
  readonly experts: ExpertStorage;
  readonly chatTemplate?: string | undefined;
  /** Told of every piece that lost something. */
  readonly onRounding?: OnRounding | undefined;
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
  const tensors = planTensors(checkpoint, options);
  const { header, dataBytes } = encodeGgufHeader(
    ggufMetadata(checkpoint.config, vocabulary, options),
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

function planTensors(checkpoint: Checkpoint, options: ToGgufOptions): PlannedTensor[] {
  return inventory(checkpoint.config).flatMap(({ name, shape }): PlannedTensor[] => {
    if (name.endsWith("_scales")) return []; // written with their blocks
    if (name.endsWith("_blocks"))
      return planExperts(checkpoint, name.slice(0, -"_blocks".length), options.experts);
    const view = checkpoint.tensor(name);
    if (name.endsWith("gate_up_proj_bias")) return planGateUpBias(view);
    const isMatrix = shape.length === 2 && !name.includes(".router.") && !name.includes(".experts.");
    if (!isMatrix) return [plan(view, "F32", toF32(view))];
    const blocksFit = shape[shape.length - 1] % 32 === 0;
    if (options.dense === "q8_0" && blocksFit) return [plan(view, "Q8_0", toQ8(view, options.onRounding))];
    return [plan(bf16View(view, options.onRounding), "BF16", same)];
  });
}

type Convert = (bytes: Uint8Array) => Uint8Array;

const same: Convert = (bytes) => bytes;
const toF32 =
  ({ dtype }: TensorView): Convert =>
  (bytes) =>
    bytesOf(floatsOf(dtype, bytes));
const toQ8 =
  ({ name, dtype }: TensorView, onRounding: OnRounding | undefined): Convert =>
  (bytes) => {
    const { encoded, ...loss } = encodeQ8(dtype, bytes);
    onRounding?.({ tensor: name, to: "q8_0", ...loss });
    return encoded;
  };

/** A tensor that is stored one for one. */
function plan(view: TensorView, type: GgmlType, convert: Convert): PlannedTensor {
  return {
    info: { name: ggufName(view.name), type, shape: view.shape },
    chunks: () => stream(view, convert),
  };
}

/** One expert matrix: gate_up becomes two, its alternating rows taken apart. */
function planExperts(checkpoint: Checkpoint, matrix: string, storage: ExpertStorage): PlannedTensor[] {
  const blocks = checkpoint.tensor(`${matrix}_blocks`);
  const scales = checkpoint.tensor(`${matrix}_scales`);
  const [experts, rows, blocksPerRow] = scales.shape;
  const part = (name: string, first: number, stride: number): PlannedTensor => ({
    info: {
      name,
      type: storage === "mxfp4" ? "MXFP4" : "BF16",
      shape: [experts, rows / stride, blocksPerRow * 32],
    },
    async *chunks() {
      const rowsAtOnce = Math.max(1, Math.floor(chunkBytes / (blocksPerRow * 17 * stride))) * stride;
      const chunks = readAhead(Math.ceil((experts * rows) / rowsAtOnce), (chunk) => {
        const start = chunk * rowsAtOnce * blocksPerRow;
        const end = Math.min((chunk + 1) * rowsAtOnce, experts * rows) * blocksPerRow;
        return Promise.all([blocks.read(start * 16, end * 16), scales.read(start, end)]);
      });
      const step = { blocksPerRow, first, stride };
      for await (const [b, s] of chunks)
        yield storage === "mxfp4"
          ? mxfp4ToGguf(b, s, step)
          : bytesOf(decodeMxfp4({ blocks: b, scales: s }, step));
    },
  });
  const inLayer = (name: string): string => `blk.${splitLayer(matrix).layer}.${name}.weight`;
  if (matrix.endsWith("down_proj")) return [part(inLayer(expertNames.down), 0, 1)];
  return [part(inLayer(expertNames.gate), 0, 2), part(inLayer(expertNames.up), 1, 2)];
}

function planGateUpBias(view: TensorView): PlannedTensor[] {
  const [experts, rows] = view.shape;
  const inLayer = (name: string): string => `blk.${splitLayer(view.name).layer}.${name}.bias`;
  const part = (name: string, first: number): PlannedTensor => ({
    info: { name: inLayer(name), type: "F32", shape: [experts, rows / 2] },
    chunks: () =>
      stream(view, (bytes) => {
        const both = floatsOf(view.dtype, bytes);
        return bytesOf(Float32Array.from({ length: both.length / 2 }, (_, i) => both[2 * i + first]));
      }),
  });
  return [part(expertNames.gate, 0), part(expertNames.up, 1)];
}

/** Chunks are whole Q8_0 blocks, and pairs of biases. */
async function* stream(view: TensorView, convert: Convert): AsyncGenerator<Uint8Array> {
  const unit = 32 * bytesPerElement[view.dtype];
  const step = Math.floor(chunkBytes / unit) * unit;
  const chunks = readAhead(Math.ceil(view.byteLength / step), (chunk) =>
    view.read(chunk * step, Math.min((chunk + 1) * step, view.byteLength)),
  );
  for await (const bytes of chunks) yield convert(bytes);
}

/** The name under which a tensor is written; the experts' are made where they are planned. */
function ggufName(name: string): string {
  const { layer, rest } = splitLayer(name);
  if (rest === "mlp.experts.down_proj_bias") return `blk.${layer}.${expertNames.down}.bias`;
  return ggufNames(name)[0];
}
