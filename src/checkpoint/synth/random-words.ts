// Random bits by position, not by sequence: any part of a tensor can be made alone, and chunks do not matter.

import { random } from "../../base/index.ts";

/** Two words that tell one stream of random bits from all others. */
export type StreamKey = readonly [number, number];

export function streamKey(seed: number, name: string): StreamKey {
  // FNV-1a, then whitened by the generator that it seeds.
  let hash = 0x811c9dc5;
  for (const character of `${seed}/${name}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  const { uint32 } = random(hash);
  return [uint32(), uint32()];
}

/**
 * Word `i` of `words` becomes a hash of `first + i` and the key: the finaliser of lowbias32 (Chris Wellons, "Hash
 * Prospector") with a key mixed in twice. Good enough for weights, and about as fast as memory.
 */
export function fillRandomWords(words: Uint32Array, first: number, key: StreamKey): void {
  const high = Math.floor(first / 2 ** 32);
  const a = key[0] ^ Math.imul(high, 0x9e3779b1);
  const b = key[1];
  for (let i = 0, position = first | 0; i < words.length; i++, position = (position + 1) | 0) {
    let x = position ^ a;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = ((x ^ (x >>> 15)) + b) | 0;
    x = Math.imul(x, 0x735a2d97);
    words[i] = x ^ (x >>> 15);
  }
}
