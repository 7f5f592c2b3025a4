// A dense tensor of a GGUF file as a view: where it lies, or decoded when it is read.

import type { TensorView } from "../../base/index.ts";
import { computedView } from "../computed-view.ts";
import { createMeasure, type OnRounding } from "../numbers/rounding.ts";
import { bytesOf } from "../numbers/rows.ts";
import { tensorView } from "../tensor-views.ts";
import type { GgufTensor } from "./collect.ts";
import { decodeBlocks, decodeBlocksToBf16, isQuantized } from "./decode.ts";
import { type GgmlType, ggmlTypes } from "./format.ts";

export interface DecodeOptions {
  /** What quantised dense tensors become: BF16 is what the models were published in; F32 rounds nothing. */
  readonly decodeTo?: "BF16" | "F32" | undefined;
  readonly onRounding?: OnRounding | undefined;
}

/** A tensor whose type is known, under its Hugging Face name; `rows` are some of its rows, where q, k and v are fused. */
export function denseView(
  name: string,
  tensor: GgufTensor & { readonly type: GgmlType },
  { decodeTo = "BF16", onRounding }: DecodeOptions,
): TensorView {
  const { type, shape, offset, byteLength, source } = tensor;
  if (!isQuantized(type)) return tensorView(source, { name, dtype: type, shape, offset, byteLength });
  const { values, bytes: blockBytes } = ggmlTypes[type];
  const read = (first: number, count: number): Promise<Uint8Array> =>
    source.read(offset + first * blockBytes, count * blockBytes);
  if (decodeTo === "F32")
    return computedView({
      name,
      dtype: "F32",
      shape,
      unitBytes: values * 4,
      make: async (first, count) => bytesOf(decodeBlocks(type, await read(first, count))),
    });
  return computedView({
    name,
    dtype: "BF16",
    shape,
    stored:
      type === "Q8_0" && source.path !== undefined ? { type: "q8_0", path: source.path, offset } : undefined,
    unitBytes: values * 2,
    make: async (first, count) => {
      const measure = onRounding && createMeasure(name, "bf16");
      const halves = decodeBlocksToBf16(type, await read(first, count), measure);
      if (measure) onRounding(measure.result());
      return bytesOf(halves);
    },
  });
}
