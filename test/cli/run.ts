// The command line as people and programs use it: the built program, run as a process, in an environment in which no
// models of this machine are seen.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";

/** For this test file. */
export const folder = mkdtempSync(join(tmpdir(), "gpt-oss-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

export const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Sent once something was written to stderr. */
  readonly signal?: NodeJS.Signals;
}

/** Starts it, for tests that do something meanwhile. */
export const spawnGptOss = (
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcess & {
  stdin: NodeJS.WritableStream;
  stdout: NodeJS.ReadableStream;
  stderr: NodeJS.ReadableStream;
} =>
  spawn(process.execPath, ["dist/cli/main.js", ...args], {
    env: { ...process.env, HF_HUB_CACHE: join(folder, "hub"), OLLAMA_MODELS: folder, NO_COLOR: "1", ...env },
    timeout: 60_000,
  });

export function gptOss(args: readonly string[], { stdin, env, signal }: RunOptions = {}): Promise<Result> {
  return new Promise((resolve, reject) => {
    const child = spawnGptOss(args, env);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      if (signal && stderr === "") child.kill(signal);
      stderr += chunk;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
    child.stdin.end(stdin ?? "");
  });
}

/** Output of a run that must succeed. */
export async function output(args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await gptOss(args, options);
  expect(code, stderr).toBe(0);
  return stdout;
}

// biome-ignore lint/suspicious/noExplicitAny: as a program would read it
export const json = async (args: readonly string[], options?: RunOptions): Promise<any> =>
  JSON.parse(await output(args, options));
