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
    attentionInt8: { error: 1e-5, reason: "what the cache keeps is f32, which a sharp softmax magnifies" },
    moe: { error: 1e-6, reason: "router logits are f32 between routing and its softmax" },
  },
});
