import { createReferenceBackend } from "../backend/reference/index.ts";
import { modelConformance } from "./testing/model-conformance.ts";

const rounding = {
  error: 1e-5,
  reason: "the golden code rounds every step to f32, the reference every operation",
};

modelConformance({
  name: "reference",
  create: createReferenceBackend,
  tolerances: {
    logits: rounding,
    hidden: rounding,
    loss: { error: 1e-5, reason: "a mean over a prompt, in f32 in the golden code" },
    paths: { error: 0, reason: "sums are formed in the same order whatever stands beside a token" },
    ties: { error: 0, reason: "no golden continuation has a near tie that f32 rounding flips" },
  },
});

// What 8 bits cost, with nothing else rounded: docs/performance.md.
const eightBits = "a key or value is off by up to 1/254 of its head's largest number";
const flips = "where two experts are nearly equal, rounding chooses the other one";

modelConformance({
  name: "reference, cache in int8",
  create: createReferenceBackend,
  storage: "int8",
  maxPromptTokens: 1500,
  tolerances: {
    logits: { error: 0.08, reason: `${eightBits}, and ${flips}: seen 0.04 in the prompt of 1500` },
    hidden: { error: 0.16, reason: `one position, at which ${flips}: seen 0.08; elsewhere 0.007` },
    loss: { error: 3e-3, reason: `${eightBits}; a mean over the prompt` },
    paths: { error: 0, reason: "a token is rounded by itself, whatever stands beside it" },
    ties: { error: 0, reason: "no golden continuation has a near tie that this rounding flips" },
  },
});
