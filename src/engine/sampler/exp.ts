// e^-d for d ≥ 0, the inner loop of sampling from a large vocabulary.
//
// Why not Math.exp: it takes 2.5 times as long, and its last bits are the JavaScript engine's own choice, so that the
// same seed could give another token in another browser.

const steps = 512;
const stepBits = 9;
/** e^-d below this adds nothing that a float64 sum over any vocabulary could hold. */
const farthest = 64;

const stepsPerNat = steps / Math.LN2;
const natsPerStep = Math.LN2 / steps;
const fractions = Float64Array.from({ length: steps }, (_, step) => powerOfTwo(-step / steps));
const wholes = Float64Array.from({ length: 128 }, (_, exponent) => 2 ** -exponent);

/** e^-d, within 1e-9 of it relatively; 0 from d = 64 on (and for infinity). Logits are f32: 1e-7 at best. */
export function expNegative(d: number): number {
  if (!(d < farthest)) return 0;
  const step = (d * stepsPerNat) | 0;
  const rest = step * natsPerStep - d; // in (-ln 2 / 512, 0]
  return wholes[step >> stepBits] * fractions[step & (steps - 1)] * (1 + rest * (1 + 0.5 * rest));
}

/** 2^x for x in (-1, 0] by its series: only +, · and / are the same on every machine. */
function powerOfTwo(x: number): number {
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 30; n++) {
    term *= (x * Math.LN2) / n;
    sum += term;
  }
  return sum;
}
