// What a person types, line by line: with editing and history in a terminal, plainly from a pipe.

import { createInterface } from "node:readline/promises";

/** Ends with the input (Ctrl-D). At the prompt, Ctrl-C ends it with an AbortError. */
export function readLines(prompt: string): AsyncIterable<string> {
  const { stdin, stderr } = process;
  return stdin.isTTY ? terminalLines(prompt, { input: stdin, output: stderr }) : pipedLines();
}

async function* pipedLines(): AsyncGenerator<string> {
  yield* createInterface({ input: process.stdin });
}

export interface TerminalStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

/** What was typed or pasted beyond the line that was asked for. */
interface TypedAhead {
  lines: string[];
  /** Not ended yet, so still to be edited. */
  rest: string;
}

/**
 * One interface a line: between lines the terminal is in its ordinary mode, where Ctrl-C is a signal and stops the
 * answer that is being printed.
 */
export async function* terminalLines(prompt: string, streams: TerminalStreams): AsyncGenerator<string> {
  let history: string[] = [];
  const ahead: TypedAhead = { lines: [], rest: "" };
  // As a terminal does with what it holds: Ctrl-C during an answer also takes back what was typed ahead.
  const forget = (): void => void Object.assign(ahead, { lines: [], rest: "" });
  while (true) {
    const next = ahead.lines.shift();
    if (next !== undefined) streams.output.write(`${prompt}${next}\n`);
    const line = next ?? (await terminalLine(prompt, { ...streams, history, ahead }));
    if (line === undefined) return;
    if (line.trim() !== "") history = [line, ...history];
    if (ahead.lines.length > 0) process.once("SIGINT", forget);
    try {
      yield line;
    } finally {
      process.off("SIGINT", forget);
    }
  }
}

interface LineOptions extends TerminalStreams {
  readonly history: readonly string[];
  readonly ahead: TypedAhead;
}

async function terminalLine(
  prompt: string,
  { input, output, history, ahead }: LineOptions,
): Promise<string | undefined> {
  const terminal = createInterface({ input, output, history: [...history], terminal: true });
  const interrupt = new AbortController();
  const end = new AbortController();
  terminal.on("SIGINT", () => interrupt.abort());
  terminal.on("close", () => end.abort());
  // The first line answers the question; those that come with it, in a paste, are announced here.
  terminal.on("line", (line) => ahead.lines.push(line));
  try {
    const answer = terminal.question(prompt, { signal: AbortSignal.any([interrupt.signal, end.signal]) });
    terminal.write(ahead.rest);
    return await answer;
  } catch (error) {
    output.write("\n");
    if (interrupt.signal.aborted) throw error;
    return undefined; // Ctrl-D closed it
  } finally {
    ahead.rest = terminal.line;
    terminal.close();
  }
}
