// A bound on how much one grammar may cost at a time. Counted, not timed, so that the same grammar is refused on every
// machine or on none.

import { GptOssError } from "../../../base/index.ts";

export interface Work {
  /** Throws `engine/bad-grammar` when what is allowed is used up. */
  spend(units: number): void;
  /** Begins anew. */
  allow(units: number): void;
}

export function createWork(): Work {
  let left = Number.POSITIVE_INFINITY;
  return {
    spend(units) {
      left -= units;
      if (left < 0) throw tooExpensive();
    },
    allow(units) {
      left = units;
    },
  };
}

function tooExpensive(): GptOssError {
  return new GptOssError("engine/bad-grammar", {
    message: "this grammar takes too much time or memory to follow",
    hint: "simplify its patterns, repetitions and alternatives",
  });
}
