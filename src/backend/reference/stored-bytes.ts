import type { TensorView } from "../../base/index.ts";
import { checkBytes } from "../checks.ts";

/** A view's bytes on a boundary of four and padded to whole words, so that typed arrays can lie on them. */
export async function readStored(view: TensorView): Promise<Uint8Array> {
  const bytes = await view.read();
  checkBytes(view, bytes);
  if (bytes.byteOffset % 4 === 0 && bytes.byteLength % 4 === 0) return bytes;
  const copy = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  copy.set(bytes);
  return copy;
}
