// Programs that use the library, run as processes from what is built: their engines' threads must not keep them alive,
// nor outlive them.

import { spawn } from "node:child_process";
import { describe, expect, test } from "vitest";

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the script; once it has written something, `onOutput` may end it. Killed after 30 s, which no test expects. */
function run(script: string, onOutput?: NodeJS.Signals, flags: readonly string[] = []): Promise<Ended> {
  const program = `import { load } from "./dist/index.js"; ${script}`;
  const child = spawn(process.execPath, [...flags, "--input-type=module", "-e", program], {
    timeout: 30_000,
    killSignal: "SIGKILL",
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    stdout += chunk;
    if (onOutput) child.kill(onOutput);
  });
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk));
  return new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })),
  );
}

const ended = { code: 0, signal: null, stderr: "" };

describe("a program ends by itself", () => {
  test("after closing its model", async () => {
    const script = `const model = await load(); console.log((await model.respond("What is 47 + 85?")).text);
      await model.close(); await model.close();`;
    expect(await run(script)).toEqual({ ...ended, stdout: "47 + 85 = 132.\n" });
  });

  test("with flags that threads refuse", async () => {
    const script = `const model = await load(); console.log((await model.respond("What is 47 + 85?")).text);`;
    const flags = ["--max-old-space-size=1000", "--expose-gc"];
    expect(await run(script, undefined, flags)).toEqual({ ...ended, stdout: "47 + 85 = 132.\n" });
  });

  test("though it forgot to, when nothing is asked any more", async () => {
    const script = `const model = await load(); console.log((await model.respond("What is 47 + 85?")).text);`;
    expect(await run(script)).toEqual({ ...ended, stdout: "47 + 85 = 132.\n" });
  });

  test("after leaving an answer in the middle", async () => {
    const script = `const model = await load();
      for await (const event of model.stream("What is 47 + 85?")) if (event.type === "reasoning-delta") break;
      console.log("left");`;
    expect(await run(script)).toEqual({ ...ended, stdout: "left\n" });
  });

  test("not before its answer is there, though it waits for nothing else", async () => {
    const script = `const model = await load();
      void model.respond("What is 47 + 85?").then((answer) => console.log(answer.text));`;
    expect(await run(script)).toEqual({ ...ended, stdout: "47 + 85 = 132.\n" });
  });

  test("with its own exit code, while an answer is being computed", async () => {
    const script = `const model = await load();
      for await (const event of model.stream("What is 47 + 85?")) if (event.type === "reasoning-delta") process.exit(7);`;
    expect(await run(script)).toMatchObject({ code: 7 });
  });
});

test("a signal ends a program at once, whatever its thread does", async () => {
  const script = `const model = await load();
    for await (const event of model.stream("What is 47 + 85?")) if (event.type === "reasoning-delta") console.log(1);`;
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    expect(await run(script, signal)).toMatchObject({ code: null, signal });
});
