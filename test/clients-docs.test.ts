// docs/clients.md as its reader takes it: each snippet run as it stands, against `gpt-oss serve`, printing what is under it.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);

let server: ChildProcess;
let address = "";

beforeAll(async () => {
  server = spawn(process.execPath, [
    "dist/cli/main.js",
    "serve",
    "--port",
    "0",
    "--store",
    "memory",
    "--log",
    "none",
  ]);
  address = await new Promise<string>((resolve, reject) => {
    let said = "";
    server.stdout?.on("data", (data) => {
      said += data;
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
      if (found) resolve(found);
    });
    server.on("exit", (code) => reject(new Error(`gpt-oss serve ended with ${code}: ${said}`)));
  });
}, 60_000);
afterAll(() => server.kill("SIGKILL"));

const text = readFileSync("docs/clients.md", "utf8");
const snippets = [...text.matchAll(/```js\n(.*?)```\n\n```text\n(.*?)```/gs)].map(([, code, output]) => {
  const line = text.slice(0, text.indexOf(code)).split("\n").length;
  return { line, code, output };
});

test("every snippet says what it prints", () => {
  expect(snippets.length).toBe(text.split("```js").length - 1);
});

test.each(snippets)("docs/clients.md:$line", async ({ code, output }) => {
  const here = code.replaceAll("http://127.0.0.1:8000", address);
  const options = { timeout: 60_000 };
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", here], options);
  expect(stdout.trimEnd()).toBe(output.trimEnd());
});
