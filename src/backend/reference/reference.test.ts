import { backendConformance } from "../testing/conformance.ts";
import { createReferenceBackend } from "./index.ts";

const rounded = { error: 3e-7, reason: "f64 inside, rounded to f32 once" };

backendConformance({
  name: "reference",
  create: createReferenceBackend,
  tolerances: {
    embed: { error: 0, reason: "a look-up" },
    add: rounded,
    rmsNorm: rounded,
    linear: rounded,
    rope: { error: 3e-7, reason: "sines arrive in f32" },
    attention: rounded,
    moe: { error: 1e-6, reason: "router logits are f32 between routing and its softmax" },
  },
});
