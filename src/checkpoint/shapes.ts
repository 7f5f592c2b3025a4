// The published models' shapes, by name.

import type { ModelConfig } from "./config.ts";

export const shapeNames = ["gpt-oss-20b", "gpt-oss-120b"] as const;
export type ShapeName = (typeof shapeNames)[number];

export const shapes: Readonly<Record<ShapeName, ModelConfig>> = {
  "gpt-oss-20b": published({ layers: 24, experts: 32 }),
  "gpt-oss-120b": published({ layers: 36, experts: 128 }),
};

function published({ layers, experts }: { layers: number; experts: number }): ModelConfig {
  return {
    layers,
    hiddenSize: 2880,
    intermediateSize: 2880,
    experts,
    expertsPerToken: 4,
    heads: 64,
    kvHeads: 8,
    headDim: 64,
    vocabularySize: 201088,
    contextLength: 131072,
    slidingWindow: 128,
    slides: Array.from({ length: layers }, (_, layer) => layer % 2 === 0),
    rmsNormEpsilon: 1e-5,
    swigluLimit: 7,
    rope: {
      theta: 150000,
      factor: 32,
      originalContextLength: 4096,
      betaFast: 32,
      betaSlow: 1,
      truncate: false,
    },
    stopTokens: [200002, 199999, 200012],
  };
}
