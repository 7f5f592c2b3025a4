import { expect, test, vi } from "vitest";
import type { KvStorage } from "../backend.ts";
import { backendConformance } from "../testing/conformance.ts";
import { rowCases } from "../testing/row-cases.ts";
import { loadAddon } from "./addon.ts";
import { createNativeBackend } from "./native.ts";
import { forEachVariant } from "./testing/for-each-variant.ts";

const f32 = "sums are f32, in another order than the oracle's f64";
const int8 = "activations are rounded to 8 bits, 32 to a scale: up to 0.4% of the largest of a block";
const bf16 = "keys and values are stored in 8 bits of mantissa, which a sharp softmax magnifies";

forEachVariant((name) => {
  test(`native, ${name}: GPT_OSS_KERNELS forces it`, async () => {
    vi.stubEnv("GPT_OSS_KERNELS", name);
    const backend = createNativeBackend();
    vi.unstubAllEnvs();
    const { description } = loadAddon().variants.find((variant) => variant.name === name)!;
    expect(backend.description).toContain(`${description} (asked for)`);
    await backend.close();
  });
  test(`native, ${name}: 8 bits hold 1.88 times the context in the same memory`, async () => {
    const backend = createNativeBackend({ kernels: name });
    const spec = { kvHeads: 8, headDim: 64, blockTokens: 32, layerGroups: [0, 1], groupBlocks: [4, 8] };
    const bytes = (storage: KvStorage): number => backend.cacheBytes({ ...spec, storage });
    // A byte a value and a scale of 4 bytes for each head's 64, instead of two bytes a value.
    expect(bytes("int8") / bytes("bf16")).toBe((64 + 4) / 128);
    await backend.close();
  });
  for (const dense of ["int8", "bf16"] as const) {
    backendConformance({
      name: `native, ${name}, dense weights in ${dense}`,
      create: () => createNativeBackend({ kernels: name, dense }),
      tolerances: {
        embed: { error: 0, reason: "rows are looked up as they are stored" },
        rmsNorm: { error: 1e-6, reason: f32 },
        linear:
          dense === "int8"
            ? { error: 2e-2, reason: `${int8}, and so are weights` }
            : name === "amx" || name === "avx512bf16"
              ? { error: 5e-3, reason: "more than a few rows are multiplied in bfloat16: 2^-9 of a value" }
              : { error: 1e-5, reason: f32 },
        rope: { error: 1e-6, reason: f32 },
        attention:
          name === "avx512bf16"
            ? { error: 1e-1, reason: `${bf16}; queries and probabilities too (native/test is stricter)` }
            : { error: 4e-2, reason: bf16 },
        attentionInt8: { error: 1e-4, reason: `the oracle rounds as the cache does; ${f32}` },
        moe: { error: 3e-2, reason: `${int8}, twice` },
        add: { error: 1e-7, reason: "the sum is rounded to f32" },
      },
      // Nothing else depends on how dense weights are held.
      ...(dense === "bf16" && { cases: rowCases }),
    });
  }
});
