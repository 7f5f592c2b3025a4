import { totalmem } from "node:os";

/** Bytes that programs have here: the machine's, or a container's limit if that is less. */
export const machineMemory = (): number =>
  Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
