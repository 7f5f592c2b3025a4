import type { TensorView } from "../../base/index.ts";

/** What a header says of a tensor. */
export type TensorHeading = Pick<TensorView, "name" | "dtype" | "shape" | "byteLength">;

/** The bytes before the tensors': length and JSON, padded with spaces so that the data begins at a multiple of 8. */
export function encodeSafetensorsHeader(tensors: readonly TensorHeading[]): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, byteLength }) => {
    const begin = end;
    end += byteLength;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const header = Object.fromEntries([["__metadata__", { format: "pt" }], ...entries]);
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}
