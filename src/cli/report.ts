// How a command ends: exit codes, and errors as people want to read them. Stack traces only when asked for.

import { CommanderError } from "commander";
import { GptOssError } from "../base/index.ts";

/** Documented in `gpt-oss --help`; scripts rely on them. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, interrupted: 130 } as const;

export const isDebugging = (): boolean =>
  process.argv.includes("--debug") || Boolean(process.env.GPT_OSS_DEBUG);

/** Prints what went wrong on stderr and says which exit code that means. */
export function reportError(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (isAbort(error)) return exitCodes.interrupted;
  process.stderr.write(describeError(error));
  return GptOssError.isInstance(error) && error.code === "cli/bad-argument"
    ? exitCodes.usage
    : exitCodes.failure;
}

export function describeError(error: unknown): string {
  if (isDebugging() && error instanceof Error) return `${error.stack ?? error.message}\n`;
  if (GptOssError.isInstance(error)) {
    const hint = error.hint === undefined ? "" : `  ${error.hint}\n`;
    return `error: ${error.message} (${error.code})\n${hint}`;
  }
  const message = error instanceof Error ? error.message : String(error);
  return `error: ${message}\n  this is not an error gpt-oss expected; run again with --debug to see where it comes from\n`;
}

export function badArgument(message: string, hint?: string): GptOssError {
  return new GptOssError("cli/bad-argument", { message, ...(hint !== undefined && { hint }) });
}

const isAbort = (error: unknown): boolean => error instanceof Error && error.name === "AbortError";
