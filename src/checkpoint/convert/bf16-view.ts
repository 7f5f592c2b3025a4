import type { TensorView } from "../../base/index.ts";
import { computedView } from "../computed-view.ts";
import { measureRounding, type OnRounding } from "../numbers/rounding.ts";
import { bytesOf, floatsOf, narrow } from "../numbers/rows.ts";

/** Floats that are rounded to BF16 when they are read; what is BF16 already, and what are no floats, stays as it is. */
export function bf16View(view: TensorView, onRounding: OnRounding | undefined): TensorView {
  const { name, dtype, shape } = view;
  if (dtype !== "F32" && dtype !== "F16") return view;
  const width = dtype === "F32" ? 4 : 2;
  return computedView({
    name,
    dtype: "BF16",
    shape,
    unitBytes: 2,
    make: async (first, count) => {
      const exact = floatsOf(dtype, await view.read(first * width, (first + count) * width));
      const bytes = bytesOf(narrow(exact));
      onRounding?.(measureRounding(name, "bf16", { exact, stored: floatsOf("BF16", bytes) }));
      return bytes;
    },
  });
}
