// `gpt-oss serve` as a process of its own, on any free port.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../dist/cli/main.js", import.meta.url));

/** Resolves when it is ready to answer. */
export async function startServer(args = [], { nodeArgs = [], wrap = [], stderr = "ignore" } = {}) {
  const command = [
    ...wrap,
    process.execPath,
    ...nodeArgs,
    cli,
    "serve",
    "--port",
    "0",
    "--log",
    "none",
    ...args,
  ];
  const child = spawn(command[0], command.slice(1), { stdio: ["ignore", "pipe", stderr] });
  const ended = once(child, "exit");
  const url = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [found] = /http:\/\/[0-9a-z.:[\]]+/i.exec(line) ?? [];
      if (found) resolve(found.replace(/\/$/, ""));
    });
    ended.then(([code, signal]) => reject(new Error(`the server ended with ${code ?? signal}`)));
  });
  while (!(await isReady(url))) await new Promise((resolve) => setTimeout(resolve, 50));
  return {
    url,
    pid: child.pid,
    ended,
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      await ended;
    },
  };
}

async function isReady(url) {
  const response = await fetch(`${url}/v1/models`).catch(() => undefined);
  return response?.status === 200;
}
