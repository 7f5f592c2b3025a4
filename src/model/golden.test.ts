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
