// Tensor views as the native side takes them: a place in a file to map, or bytes to copy.

import type { TensorView } from "../../base/index.ts";
import type { Experts, ExpertViews, Matrix, MatrixUse, Vector } from "../backend.ts";
import { checkBytes } from "../checks.ts";
import type { NativeExperts, NativeMatrix, NativeSource, NativeVector } from "./addon.ts";

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
  return {
    ...(await source(view)),
    dtype: view.dtype,
    rows,
    cols,
    to8Bit: use === "linear" && dense === "int8",
  };
}

export async function nativeExperts(views: ExpertViews, shape: Experts): Promise<NativeExperts> {
  const { experts, hidden, intermediate } = shape;
  const { gateUp, gateUpBias, down, downBias } = views;
  return {
    experts,
    hidden,
    intermediate,
    gateUpBlocks: await source(gateUp.blocks),
    gateUpScales: await source(gateUp.scales),
    gateUpBias: await vectorSource(gateUpBias, experts * 2 * intermediate),
    downBlocks: await source(down.blocks),
    downScales: await source(down.scales),
    downBias: await vectorSource(downBias, experts * hidden),
  };
}
