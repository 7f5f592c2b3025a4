// Who runs what: this process's name in the database, alive as long as it is renewed. A process that died is known at
// once where it ran on this machine, by its pid; elsewhere when its lease runs out.

import { randomUUID } from "node:crypto";
import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";
import type { Database, Statement } from "./database.ts";
import type { statements } from "./statements.ts";

const leaseMs = 20_000;

export interface Lease {
  /** Nobody else's, ever. */
  readonly owner: string;
  renew(): Promise<void>;
  /** Ends the leases of processes that are dead, so that what they ran can be claimed. */
  endDead(): Promise<void>;
  end(): Promise<void>;
}

export function createLease(database: Database, sql: ReturnType<typeof statements>): Lease {
  const owner = randomUUID();
  const place = pidPlace();
  const endOf = (id: string): Statement => ({ sql: sql.endLease, values: [id] });
  return {
    owner,
    renew: async () => {
      await database.run([{ sql: sql.renewLease, values: [owner, place, process.pid, leaseMs] }]);
    },
    endDead: async () => {
      const [here = []] = await database.run([{ sql: sql.ownersAt, values: [place] }]);
      const dead = here.filter(({ id, pid }) => id !== owner && !isAlive(Number(pid)));
      await database.run([
        ...dead.map(({ id }) => endOf(String(id))),
        { sql: sql.endExpiredLeases, values: [] },
      ]);
    },
    end: async () => {
      await database.run([endOf(owner)]);
    },
  };
}

/** Where a pid means one process: the machine since it started, and the container in it. */
function pidPlace(): string {
  try {
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()} ${readlinkSync("/proc/self/ns/pid")}`;
  } catch {
    return hostname(); // not Linux: one space of pids for each machine
  }
}

function isAlive(pid: number): boolean {
  // A pid may have been given again to this very process; then two stores are open in it, and both live.
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
