// Views whose bytes are not in a file but are made from what is: decoded, rearranged or rounded when they are read, a
// few megabytes at a time, so that a tensor of any size costs little memory.

import {
  assert,
  bytesPerElement,
  type DType,
  elementCount,
  type StoredBlocks,
  type TensorView,
} from "../base/index.ts";

export interface Computation {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The smallest piece that can be made on its own; the tensor is a whole number of them. */
  readonly unitBytes: number;
  /** The bytes of the units `[first, first + count)`. */
  make(first: number, count: number): Promise<Uint8Array>;
  /** Set where a unit is large and dear: the last one is kept for the next reading. */
  readonly keepsLast?: boolean;
  readonly stored?: StoredBlocks | undefined;
}

/** Bytes that are made at once, unless one unit has more. */
const pieceBytes = 2 ** 21;

export function computedView(computation: Computation): TensorView {
  const { name, dtype, shape, unitBytes, stored } = computation;
  const byteLength = elementCount(shape) * bytesPerElement[dtype];
  const unitsAtOnce = Math.max(1, Math.floor(pieceBytes / unitBytes));
  const make = computation.keepsLast ? keepingLast(computation) : computation.make;
  assert(byteLength % unitBytes === 0, `${name}: ${byteLength} bytes in units of ${unitBytes}`);
  return {
    name,
    dtype,
    shape,
    byteLength,
    ...(stored && { stored }),
    read: async (start = 0, end = byteLength) => {
      assert(0 <= start && start <= end && end <= byteLength, `bytes [${start}, ${end}) of ${byteLength}`);
      const first = Math.floor(start / unitBytes);
      const last = Math.ceil(end / unitBytes);
      if (last - first <= unitsAtOnce && start % unitBytes === 0 && end === last * unitBytes)
        return last === first ? new Uint8Array() : make(first, last - first);
      const out = new Uint8Array(end - start);
      const piece = (unit: number): Promise<Uint8Array> | undefined =>
        unit < last ? make(unit, Math.min(unitsAtOnce, last - unit)) : undefined;
      // The file is read for the next piece while this one is computed.
      let next = piece(first);
      for (let unit = first; unit < last; unit += unitsAtOnce) {
        const ahead = piece(unit + unitsAtOnce);
        ahead?.catch(() => {}); // if this piece fails first, its error is the one to report
        const bytes = await next!;
        const at = unit * unitBytes;
        const from = Math.max(0, start - at);
        out.set(bytes.subarray(from, Math.min(bytes.length, end - at)), at + from - start);
        next = ahead;
      }
      return out;
    },
  };
}

function keepingLast({ make }: Computation): Computation["make"] {
  let kept: { readonly unit: number; readonly bytes: Promise<Uint8Array> } | undefined;
  return (first, count) => {
    if (count > 1) return make(first, count);
    if (kept?.unit === first) return kept.bytes;
    const bytes = make(first, 1);
    kept = { unit: first, bytes };
    bytes.catch(() => {
      kept = undefined; // the next reading tries again
    });
    return bytes;
  };
}
