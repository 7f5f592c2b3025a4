import { createNativeBackend } from "../backend/native/index.ts";
import { forEachVariant } from "../backend/native/testing/for-each-variant.ts";
import { modelConformance } from "./testing/model-conformance.ts";

const rounding = "activations have 8 bits a block of 32, keys and values those of bfloat16";
const flips = "where two experts are nearly equal, rounding chooses the other one";

forEachVariant((name, { best }) => {
  for (const dense of ["int8", "bf16"] as const) {
    const isRounded = dense === "int8";
    const roundsDense = isRounded || name === "avx512bf16";
    modelConformance({
      name: `native, ${name}, dense weights in ${dense}`,
      create: () => createNativeBackend({ kernels: name, dense }),
      // The longest prompt takes as long as all others together; what differs between variants, 1500 tokens show.
      ...(!(best && isRounded) && { maxPromptTokens: 1500 }),
      tolerances: {
        logits: {
          error: isRounded ? 0.15 : 0.08,
          reason: `${flips}: seen at 1 of 40 positions; elsewhere 0.02`,
        },
        hidden:
          name === "avx512bf16"
            ? { error: 0.05, reason: `${rounding}, queries too, and ${flips}: seen 0.04 at 1 of 4 prompts` }
            : { error: 0.02, reason: rounding },
        loss: { error: roundsDense ? 2e-3 : 1e-3, reason: `${rounding}; a mean over the prompt` },
        paths: { error: 0.02, reason: `sums are formed in another order, and ${flips}` },
        ties: { error: 3e-3, reason: rounding },
      },
    });
  }
  if (!best) return; // what the cache rounds, attention's own tests compare for every variant
  modelConformance({
    name: `native, ${name}, cache in int8`,
    create: () => createNativeBackend({ kernels: name }),
    storage: "int8",
    tolerances: {
      logits: { error: 0.15, reason: `${flips}: seen 0.06 at 1 of 40 positions; elsewhere 0.01` },
      hidden: { error: 0.02, reason: `${rounding}, of a cache in int8 8 bits a head` },
      loss: { error: 4e-3, reason: `${rounding}; a mean over the prompt, 2e-3 for the shortest` },
      paths: { error: 0.04, reason: `what is rounded to 8 bits differs by a rounding, and ${flips}` },
      ties: { error: 3e-3, reason: rounding },
    },
  });
});
