// The terminal: colours only where someone looks, a progress line on stderr, Ctrl-C as an AbortSignal, and a reader
// that goes away early (`| head`).

import { exitCodes } from "./report.ts";

const hasColour = (stream: NodeJS.WriteStream): boolean => stream.isTTY === true && !process.env.NO_COLOR;

export const print = (text: string): void => void process.stdout.write(text);
export const printLine = (text: string): void => print(`${text}\n`);
export const printNote = (text: string): void => void process.stderr.write(`${dim(text, process.stderr)}\n`);
export const printJson = (value: unknown): void => printLine(JSON.stringify(value));

export function dim(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return hasColour(stream) && text !== "" ? `\u001b[2m${text}\u001b[22m` : text;
}

/** For what a model wrote: in a terminal, control characters could do anything; programs get them as they are. */
export function visible(text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return stream.isTTY ? text.replaceAll(/[^\P{Cc}\n\t]/gu, "\u{fffd}") : text;
}

/** Someone who reads only the first lines of our output is not an error. */
export function tolerateClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "EPIPE") process.exit(exitCodes.ok);
      throw error;
    });
  }
}

/**
 * Ctrl-C (or SIGTERM) aborts what `work` gets, so that it can end in order; a second one ends the program at once.
 * Before and after, they do what they do without us.
 */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}

/** One line on stderr that is written over; nothing when stderr is not a terminal, apart from the last state. */
export interface ProgressLine {
  update(text: string): void;
  /** Clears the line, or leaves `text` on it. */
  end(text?: string): void;
}

const redrawEveryMs = 100;

export function progressLine(): ProgressLine {
  const isTerminal = process.stderr.isTTY === true;
  let drawn = 0;
  return {
    update(text) {
      const now = performance.now();
      if (!isTerminal || now - drawn < redrawEveryMs) return;
      drawn = now;
      // A line that wraps could not be written over.
      const shown = text.slice(0, Math.max(1, (process.stderr.columns || 80) - 1));
      process.stderr.write(`\r\u001b[2K${dim(shown, process.stderr)}`);
    },
    end(text) {
      if (isTerminal && drawn > 0) process.stderr.write("\r\u001b[2K");
      if (text !== undefined) printNote(text);
    },
  };
}

const byteUnits = ["bytes", "kB", "MB", "GB", "TB"];

/** Decimal units, three digits: `12.8 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // After rounding, or 999,999 bytes would be 1.00e+3 kB.
  while (Number(value.toPrecision(3)) >= 1000 && unit < byteUnits.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${byteUnits[unit]}`;
}

export interface Transfer {
  readonly bytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond: number;
  readonly secondsLeft: number;
}

/** For a progress line: how far, how fast, how long still. */
export function describeTransfer({ bytes, totalBytes, bytesPerSecond, secondsLeft }: Transfer): string {
  const share = Math.floor((100 * bytes) / totalBytes);
  return `${formatBytes(bytes)} of ${formatBytes(totalBytes)} (${share} %), ${formatBytes(bytesPerSecond)}/s, ${formatSeconds(secondsLeft)} left`;
}

export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
