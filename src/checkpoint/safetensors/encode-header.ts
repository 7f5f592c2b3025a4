import type { TensorView } from "../../base/index.ts";

/** What a header says of a tensor. */
export type TensorHeading = Pick<TensorView, "name" | "dtype" | "shape" | "byteLength">;

/** The bytes before the tensors': length and JSON, padded with spaces so that the data begins at a multiple of 8. */
export function encodeSafetensorsHeader(tensors: readonly TensorHeading[]): Uint8Array {
  const entries: Record<string, unknown> = { __metadata__: { format: "pt" } };
  let end = 0;
  for (const { name, dtype, shape, byteLength } of tensors) {
    entries[name] = { dtype, shape, data_offsets: [end, end + byteLength] };
    end += byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(entries));
  const length = Math.ceil(json.length / 8) * 8;
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return header;
}
