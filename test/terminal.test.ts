// Chat at a terminal, as a person sits before it: `script` gives the program a pseudo-terminal.

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { filesIn, startLocalHub } from "../src/checkpoint/testing/local-hub.ts";

const ctrlC = "\u0003";
const ctrlD = "\u0004";
const up = "\u001b[A";

const hasScript = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;
const reason = "there is no `script` of util-linux here to make a terminal with";
if (!hasScript) console.warn(`chat at a terminal (skipped: ${reason})`);

let running: ChildProcessWithoutNullStreams | undefined;
afterEach(() => {
  running?.kill("SIGKILL");
});

interface Terminal {
  type(keys: string): void;
  /** Waits until the pattern appears in what was printed since the last wait; → that, without colours and moves. */
  see(pattern: RegExp): Promise<string>;
  /** The program's exit code. */
  readonly ended: Promise<number | null>;
}

function openTerminal(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Terminal {
  const command = [process.execPath, "dist/cli/main.js", ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["--quiet", "--flush", "--return", "--command", command, "/dev/null"], {
    env: { ...process.env, TERM: "xterm", NO_COLOR: "1", ...environment },
  });
  running = child;
  let printed = "";
  let waiting: (() => void) | undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    printed += chunk;
    waiting?.();
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return {
    type: (keys) => void child.stdin.write(keys),
    see: (pattern) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(
          () => reject(new Error(`${pattern} did not come; there was: ${printed}`)),
          30_000,
        );
        waiting = () => {
          // biome-ignore lint/suspicious/noControlCharactersInRegex: what moves the cursor
          const text = printed.replaceAll(/\u001b\[[0-9;?]*[A-Za-z]/g, "").replaceAll("\r", "");
          if (!pattern.test(text)) return;
          clearTimeout(late);
          waiting = undefined;
          printed = "";
          resolve(text);
        };
        waiting();
      }),
    ended,
  };
}

describe.skipIf(!hasScript)(`chat at a terminal${hasScript ? "" : ` (skipped: ${reason})`}`, () => {
  test("answers lines, remembers them for the up key, and Ctrl-D ends it", async () => {
    const terminal = openTerminal(["chat", "--effort", "none"]);
    await terminal.see(/\/help lists commands[\s\S]*> $/);
    terminal.type("What is the capital of France?\r");
    await terminal.see(/Paris[\s\S]*> $/);
    terminal.type(`${up}`);
    await terminal.see(/What is the capital of France\?$/);
    terminal.type("\r");
    await terminal.see(/Paris[\s\S]*> $/);
    terminal.type(ctrlD);
    expect(await terminal.ended).toBe(0);
  });

  test("Ctrl-C stops the answer and leaves the conversation; at the prompt it ends the program", async () => {
    const terminal = openTerminal(["chat", "--effort", "high", "--show-reasoning"]);
    await terminal.see(/> $/);
    terminal.type("What is 47 + 85?\r");
    await terminal.see(/85\?\n+[^\n]/); // it has begun to think
    terminal.type(ctrlC);
    expect(await terminal.see(/\(stopped\)\n[\s\S]*> $/)).not.toContain("132");
    terminal.type("/effort\r");
    await terminal.see(/effort: high\n[\s\S]*> $/);
    terminal.type(ctrlC);
    expect(await terminal.ended).toBe(130);
  });

  test("several pasted lines are answered one after the other, and none is lost", async () => {
    const terminal = openTerminal(["chat"]);
    await terminal.see(/> $/);
    terminal.type("/effort low\r/effort\r/effort high\r");
    await terminal.see(/effort: low\n[\s\S]*effort: low\n[\s\S]*effort: high\n[\s\S]*> $/);
    terminal.type("/exit\r");
    expect(await terminal.ended).toBe(0);
  });

  describe("a model that is not here is offered", () => {
    const files = filesIn("models/micro");
    const ask = async (work: (terminal: Terminal, home: string) => Promise<void>): Promise<void> => {
      const hub = await startLocalHub(files);
      const home = mkdtempSync(join(tmpdir(), "gpt-oss-terminal-"));
      const own = { HF_ENDPOINT: hub.endpoint, HF_HOME: home, HF_HUB_CACHE: "", OLLAMA_MODELS: home };
      const question = ["What is the capital of France?", "--effort", "none", "--temperature", "0"];
      try {
        await work(openTerminal(["chat", "--model", "20b", ...question], own), home);
      } finally {
        await hub.close();
        rmSync(home, { recursive: true });
      }
    };

    test("with what it needs; a no fetches nothing", () =>
      ask(async (terminal, home) => {
        expect(await terminal.see(/Pull it now\? \[y\/N\] $/)).toMatch(/disk: [\s\S]*memory: /);
        terminal.type("n\r");
        await terminal.see(/checkpoint\/not-pulled/);
        expect(await terminal.ended).toBe(1);
        expect(readdirSync(home)).toEqual([]);
      }));

    test("and after a yes it is pulled and answers", () =>
      ask(async (terminal) => {
        await terminal.see(/Pull it now\? \[y\/N\] $/);
        terminal.type("y\r");
        await terminal.see(/Paris/);
        expect(await terminal.ended).toBe(0);
      }));
  });
});
