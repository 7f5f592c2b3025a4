// What a person types, line by line: with editing and history in a terminal, plainly from a pipe.

import { createInterface } from "node:readline/promises";

/** Ends with the input (Ctrl-D). At the prompt, Ctrl-C ends it with an AbortError. */
export function readLines(prompt: string): AsyncIterable<string> {
  return process.stdin.isTTY ? terminalLines(prompt) : pipedLines();
}

async function* pipedLines(): AsyncGenerator<string> {
  yield* createInterface({ input: process.stdin });
}

/**
 * One interface a line: between lines the terminal is in its ordinary mode, where Ctrl-C is a signal and stops the
 * answer that is being printed.
 */
async function* terminalLines(prompt: string): AsyncGenerator<string> {
  let history: string[] = [];
  while (true) {
    const line = await terminalLine(prompt, history);
    if (line === undefined) return;
    if (line.trim() !== "") history = [line, ...history];
    yield line;
  }
}

async function terminalLine(prompt: string, history: readonly string[]): Promise<string | undefined> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr, history: [...history] });
  const interrupt = new AbortController();
  const end = new AbortController();
  terminal.on("SIGINT", () => interrupt.abort());
  terminal.on("close", () => end.abort());
  try {
    return await terminal.question(prompt, { signal: AbortSignal.any([interrupt.signal, end.signal]) });
  } catch (error) {
    process.stderr.write("\n");
    if (interrupt.signal.aborted) throw error;
    return undefined; // Ctrl-D closed it
  } finally {
    terminal.close();
  }
}
