// The mark that a process leaves on what it writes, so that others can tell what a killed one left behind.

import { readlinkSync } from "node:fs";
import { hostname } from "node:os";

export interface ProcessMark {
  readonly pid: number;
  /** Where this number means that process, and no other. */
  readonly place: string;
}

export const ownMark = (): ProcessMark => ({ pid: process.pid, place: pidPlace() });

/** Containers that go by their machine's name have process ids of their own. */
function pidPlace(): string {
  try {
    const [space] = /\d+/.exec(readlinkSync("/proc/self/ns/pid")) ?? [""];
    return `${hostname()}-${space}`;
  } catch {
    return hostname(); // not Linux: one space of process ids for each machine
  }
}

/** False also where that cannot be seen: on another machine that shares the disk, or in another container. */
export function isGone({ pid, place }: ProcessMark): boolean {
  if (place !== pidPlace() || !Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"; // EPERM: alive, and another user's
  }
}
