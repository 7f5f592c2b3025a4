// How many answers may be in progress or waiting at once. Who of them runs is the engine's affair; the server only
// refuses what would wait too long, instead of letting a queue grow.

import { queueFull } from "./errors.ts";

export interface Admission {
  /** Takes a place, and gives the function that leaves it. Throws 429 `queue_full`. */
  enter(): () => void;
  /** Places taken. */
  readonly inside: number;
  /** When nobody is inside any more. */
  empty(): Promise<void>;
}

export function createAdmission(places: number): Admission {
  let inside = 0;
  let waiters: (() => void)[] = [];
  return {
    enter() {
      if (inside >= places) throw queueFull();
      inside++;
      let isInside = true;
      return () => {
        if (!isInside) return;
        isInside = false;
        inside--;
        if (inside > 0) return;
        for (const resolve of waiters) resolve();
        waiters = [];
      };
    },
    get inside() {
      return inside;
    },
    empty: () => (inside === 0 ? Promise.resolve() : new Promise((resolve) => waiters.push(resolve))),
  };
}
