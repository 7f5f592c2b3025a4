// What a walk through the model found, judged: the limits, and why they are where they are.

import type { KvStorage } from "../../backend/index.ts";
import type { Check } from "./check.ts";
import type { LayerErrors, Walk } from "./walk.ts";

/** The error that rounding alone makes, relative to what a layer adds. */
interface Limit {
  readonly error: number;
  readonly reason: string;
}

const limits = {
  reference: {
    error: 0.03,
    reason: "a native backend rounds activations and weights to 8 bits",
  },
  pieces: {
    error: 0.05,
    reason: "prompts and single tokens are computed by different kernels, each with 8-bit rounding",
  },
  exactPieces: { error: 1e-4, reason: "the reference rounds nothing, but its sums may differ in order" },
} as const satisfies Record<string, Limit>;

/**
 * Rows that may be further apart: where two experts are nearly equal, rounding chooses the other one, and the row is
 * another one from there.
 */
const flippedShare = 0.15;

export interface WalkContext {
  /** Of the backend that computed the walk. */
  readonly backend: string;
  readonly layers: number;
  readonly cache: KvStorage;
}

export function backendsCheck({ layers }: Walk, { backend, layers: total }: WalkContext): Check {
  const errors = layers.flatMap(({ againstReference }) => againstReference);
  if (errors.length === 0)
    return {
      name: "backends",
      status: "skipped",
      detail: "only the reference backend works here, and there is nothing to compare it with",
      figures: { backend },
    };
  return judged("backends", { layers, errors, limit: limits.reference }, (figures) => {
    const sampled = layers.map(({ layer }) => layer).join(", ");
    return `${backend} against reference, layers ${sampled} of ${total}: ${figures}`;
  });
}

export function cacheCheck({ layers }: Walk, { backend, cache }: WalkContext): Check {
  const errors = layers.flatMap(({ inPieces }) => inPieces);
  const limit = backend === "reference" ? limits.exactPieces : limits.pieces;
  const form = cache === "bf16" ? "" : `${cache}, `;
  return judged(
    "cache",
    { layers, errors, limit },
    (figures) => `${form}in pieces against at once: ${figures}`,
  );
}

interface Judged {
  readonly layers: readonly LayerErrors[];
  readonly errors: readonly number[];
  readonly limit: Limit;
}

function judged(
  name: Check["name"],
  { layers, errors, limit }: Judged,
  describe: (figures: string) => string,
): Check {
  const sorted = [...errors].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1];
  const beyond = errors.filter((error) => !(error <= limit.error)).length;
  const isGood = median <= limit.error && beyond <= Math.ceil(errors.length * flippedShare);
  const shown = `median error ${percent(median)}, ${beyond} of ${errors.length} rows beyond ${percent(limit.error)}`;
  return {
    name,
    status: isGood ? "passed" : "failed",
    detail: describe(`${shown} (${limit.reason})`),
    figures: {
      medianError: median,
      largestError: sorted.at(-1) ?? 0,
      limit: limit.error,
      reason: limit.reason,
      rows: errors.length,
      rowsBeyond: beyond,
      layers: layers.map(({ layer }) => String(layer)),
    },
  };
}

export function perplexityCheck(
  { loss }: Walk,
  {
    tokens,
    vocabularySize,
    text,
  }: {
    readonly tokens: number;
    readonly vocabularySize: number;
    readonly text: string;
  },
): Check {
  const perplexity = Math.exp(loss);
  // Guessing blindly gives the size of the vocabulary.
  const isRandom = perplexity > vocabularySize / 4;
  const note = isRandom ? "; it knows nothing of it, as random weights do" : "";
  return {
    name: "perplexity",
    status: Number.isFinite(perplexity) ? "passed" : "failed",
    detail: `${Number(perplexity.toPrecision(4))} on ${text}, ${tokens} tokens${note}`,
    figures: { perplexity, loss, tokens },
  };
}

const percent = (share: number): string => `${(share * 100).toPrecision(2)} %`;
