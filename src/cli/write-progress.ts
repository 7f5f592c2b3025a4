import type { WriteOptions } from "../checkpoint/node/index.ts";
import { describeTransfer, formatBytes, type ProgressLine } from "./terminal.ts";

/** What people see while a model is written: how far it is, and what an earlier, killed run had left. */
export const writeProgress = (
  line: ProgressLine,
): Required<Pick<WriteOptions, "onProgress" | "onLeftover">> => ({
  onProgress: (progress) => line.update(describeTransfer(progress)),
  onLeftover: ({ path, bytes }) =>
    line.end(`removed ${path}: ${formatBytes(bytes)} that a killed run had left`),
});
