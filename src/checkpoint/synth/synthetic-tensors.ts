// Tensors that lie in no file: their bytes are made when they are read. Random, but of such a size that a forward pass
// through any number of layers stays finite, attention neither flat nor a spike, and the router uses all experts.

import {
  assert,
  bytesPerElement,
  elementCount,
  f32ToBf16,
  mxfp4Values,
  random,
  type TensorView,
} from "../../base/index.ts";
import type { ModelConfig } from "../config.ts";
import { inventory, type TensorSpec } from "../inventory.ts";
import { fillRandomWords, type StreamKey, streamKey } from "./random-words.ts";

/** Every tensor of a model of this shape, by its Hugging Face name. Same seed, same bytes, however they are read. */
export function syntheticTensors(config: ModelConfig, seed: number): ReadonlyMap<string, TensorView> {
  const kinds = weightKinds(config);
  return new Map(inventory(config).map((spec) => [spec.name, syntheticTensor(spec, kinds(spec), seed)]));
}

/** Turns random words into weights, in place. */
type Shaper = (words: Uint32Array) => void;

function syntheticTensor(spec: TensorSpec, shape: Shaper, seed: number): TensorView {
  const byteLength = elementCount(spec.shape) * bytesPerElement[spec.dtype];
  const key: StreamKey = streamKey(seed, spec.name);
  return {
    name: spec.name,
    dtype: spec.dtype,
    shape: spec.shape,
    byteLength,
    read: async (start = 0, end = byteLength) => {
      assert(0 <= start && start <= end && end <= byteLength, `bytes [${start}, ${end}) of ${byteLength}`);
      const first = Math.floor(start / 4);
      const words = new Uint32Array(Math.ceil(end / 4) - first);
      fillRandomWords(words, first, key);
      shape(words);
      return new Uint8Array(words.buffer, start - first * 4, end - start);
    },
  };
}

/**
 * Weights of each kind. Every layer's input is normalised, so a matrix of standard deviation 1/√inputs gives outputs
 * near 1, and queries and keys then give attention logits of a few units. What attention adds is much the same for all
 * tokens: were it and the biases not small against embedding and experts, which differ, all tokens of a prompt would
 * choose the same few experts in the later layers. Logits get a deviation of 4, as peaked as real text.
 */
function weightKinds(config: ModelConfig): (spec: TensorSpec) => Shaper {
  const bf16 = memoized(normalBf16);
  const norm = { mean: 1, deviation: 0.1 };
  const bias = { mean: 0, deviation: 0.02 };
  const one = { mean: 0, deviation: 1 };
  return ({ name, part, shape }) => {
    if (name.endsWith("_blocks")) return () => {}; // any nibble is a value
    if (name.endsWith("_scales")) return mxfp4Scales(shape[2] * 32);
    if (part === "norm") return bf16(norm);
    if (part === "embedding" || name.endsWith("sinks")) return bf16(one);
    if (name.endsWith("bias")) return bf16(bias);
    const gain = part === "unembedding" ? 4 : name.includes("o_proj") ? 1 / Math.sqrt(2 * config.layers) : 1;
    return bf16({ mean: 0, deviation: gain / Math.sqrt(shape[1]) });
  };
}

interface Normal {
  readonly mean: number;
  readonly deviation: number;
}

/** Two BF16 normal numbers from the 16-bit halves of each word, by table. */
function normalBf16({ mean, deviation }: Normal): Shaper {
  const table = new Uint16Array(2 ** 16);
  const { normal } = random(16);
  for (let i = 0; i < table.length; i += 2) {
    const value = deviation * normal();
    table[i] = f32ToBf16(mean + value);
    table[i + 1] = f32ToBf16(mean - value);
  }
  return (words) => {
    for (let i = 0; i < words.length; i++) {
      const word = words[i];
      words[i] = table[word & 0xffff] | (table[word >>> 16] << 16);
    }
  };
}

/** Exponents of three neighbouring powers of two, such that nibbles of any value make weights of deviation 1/√inputs. */
function mxfp4Scales(inputs: number): Shaper {
  const nibble = Math.sqrt(mxfp4Values.reduce((sum, value) => sum + value * value, 0) / mxfp4Values.length);
  // The mean square of 2^-1, 2^0, 2^0, 2^1.
  const spread = Math.sqrt((0.25 + 1 + 1 + 4) / 4);
  const middle = 127 + Math.round(Math.log2(1 / (Math.sqrt(inputs) * nibble * spread)));
  const middles = middle * 0x01010101;
  return (words) => {
    for (let i = 0; i < words.length; i++)
      words[i] = middles + (words[i] & 0x01010101) - ((words[i] >>> 1) & 0x01010101);
  };
}

function memoized(make: (normal: Normal) => Shaper): (normal: Normal) => Shaper {
  const made = new Map<string, Shaper>();
  return (normal) => {
    const key = `${normal.mean}/${normal.deviation}`;
    const known = made.get(key) ?? make(normal);
    made.set(key, known);
    return known;
  };
}
