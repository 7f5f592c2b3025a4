// Rotary position embedding with YaRN: the angle of every pair at every position. Knows positions, not tensors.
// YaRN changes the angles at every position, not only past the original context. https://arxiv.org/abs/2309.00071

import type { Batch, Rotation } from "../backend/index.ts";
import type { RopeConfig } from "../checkpoint/index.ts";

/** Gives each row of a batch its angles, `[T, headDim/2]`. */
export type Rotate = (batch: Batch) => Rotation;

export function createRotate(config: RopeConfig, headDim: number): Rotate {
  const frequencies = inverseFrequencies(config, headDim);
  const attentionFactor = config.factor > 1 ? 0.1 * Math.log(config.factor) + 1 : 1;
  const half = frequencies.length;
  return (batch) => {
    const cos = new Float32Array(batch.rows * half);
    const sin = new Float32Array(batch.rows * half);
    let at = 0;
    for (const { tokens, position } of batch.sequences) {
      for (let i = 0; i < tokens.length; i++) {
        for (let pair = 0; pair < half; pair++, at++) {
          const angle = Math.fround((position + i) * frequencies[pair]);
          cos[at] = Math.cos(angle) * attentionFactor;
          sin[at] = Math.sin(angle) * attentionFactor;
        }
      }
    }
    return { cos, sin };
  };
}

/**
 * `[headDim/2]`, in radians per position. Fast pairs (which turn more than betaFast times within the original context)
 * keep their frequency, slow ones are slowed down by the factor, those between are blended.
 * Rounded to f32 as in gpt_oss/torch/model.py: the models learned with those angles, and far out the rounding shows.
 */
function inverseFrequencies(config: RopeConfig, headDim: number): Float32Array {
  const { theta, factor, originalContextLength, betaFast, betaSlow, truncate } = config;
  const half = headDim / 2;
  const pairTurning = (turns: number): number =>
    (half * Math.log(originalContextLength / (turns * 2 * Math.PI))) / Math.log(theta);
  const low = truncate ? Math.floor(pairTurning(betaFast)) : pairTurning(betaFast);
  const high = truncate ? Math.ceil(pairTurning(betaSlow)) : pairTurning(betaSlow);
  return Float32Array.from({ length: half }, (_, pair) => {
    const frequency = theta ** (-pair / half);
    const ramp = Math.min(Math.max((pair - low) / (high - low), 0), 1);
    return (frequency / factor) * ramp + frequency * (1 - ramp);
  });
}
