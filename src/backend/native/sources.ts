// Tensor views as the native side takes them: a place in a file to map, in the layout of safetensors or in ggml's blocks,
// or else bytes to copy.

import type { TensorView } from "../../base/index.ts";
import type { Experts, ExpertViews, Matrix, MatrixUse, Mxfp4View, Vector } from "../backend.ts";
import { checkBytes } from "../checks.ts";
import type { NativeExpertMatrix, NativeExperts, NativeMatrix, NativeSource, NativeVector } from "./addon.ts";

async function source(view: TensorView): Promise<NativeSource> {
  const { location, byteLength } = view;
  if (location !== undefined) return { path: location.path, offset: location.offset, bytes: byteLength };
  const data = await view.read();
  checkBytes(view, data);
  return { data, bytes: byteLength };
}

async function vectorSource(view: TensorView, length: number): Promise<NativeVector> {
  return { ...(await source(view)), dtype: view.dtype, length };
}

export function nativeVector(view: TensorView, { length }: Vector): Promise<NativeVector> {
  return vectorSource(view, length);
}

/** Only what multiplies activations is held in 8 bits: a router's rounding would change which experts are chosen. */
export async function nativeMatrix(
  view: TensorView,
  { rows, cols }: Matrix,
  { use, dense }: { readonly use: MatrixUse; readonly dense: "int8" | "bf16" },
): Promise<NativeMatrix> {
  const to8Bit = use === "linear" && dense === "int8";
  const { stored } = view;
  if (stored?.type === "q8_0" && (to8Bit || use === "embed")) {
    const bytes = rows * (cols / q8BlockValues) * q8BlockBytes;
    return { path: stored.path, offset: stored.offset, bytes, dtype: "Q8_0", rows, cols, to8Bit };
  }
  return { ...(await source(view)), dtype: view.dtype, rows, cols, to8Bit };
}

const q8BlockValues = 32;
const q8BlockBytes = 34;

export async function nativeExperts(views: ExpertViews, shape: Experts): Promise<NativeExperts> {
  const { experts, hidden, intermediate } = shape;
  const { gateUp, gateUpBias, down, downBias } = views;
  return {
    experts,
    hidden,
    intermediate,
    gateUp: await expertMatrix(gateUp, [experts, 2 * intermediate, hidden]),
    gateUpBias: await vectorSource(gateUpBias, experts * 2 * intermediate),
    down: await expertMatrix(down, [experts, hidden, intermediate]),
    downBias: await vectorSource(downBias, experts * hidden),
  };
}

const mxfp4BlockValues = 32;
const ggmlBlockBytes = 17;

async function expertMatrix(
  { blocks, scales }: Mxfp4View,
  [experts, rows, cols]: readonly [number, number, number],
): Promise<NativeExpertMatrix> {
  const { stored } = blocks;
  if (stored?.type !== "mxfp4") return { blocks: await source(blocks), scales: await source(scales) };
  const { nibbles, parts } = stored;
  const ownBytes = (rows / parts.length) * (cols / mxfp4BlockValues) * ggmlBlockBytes;
  return {
    nibbles,
    parts: parts.map((part) => ({ ...part, bytes: (experts - 1) * part.expertBytes + ownBytes })),
  };
}
