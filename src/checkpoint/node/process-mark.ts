// The mark that a process leaves on what it writes, so that others can tell what a killed one left behind.

import { hostname } from "node:os";

export interface ProcessMark {
  readonly pid: number;
  readonly host: string;
}

export const ownMark = (): ProcessMark => ({ pid: process.pid, host: hostname() });

/** False also where that cannot be seen: on another machine that shares the disk. */
export function isGone({ pid, host }: ProcessMark): boolean {
  if (host !== hostname() || !Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"; // EPERM: alive, and another user's
  }
}
