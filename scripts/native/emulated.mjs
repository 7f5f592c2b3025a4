// Runs test files of src/ on another processor: vitest here, its workers in a Node that an emulator runs. So the files,
// the checks and what counts as a failure are those of `npm test`; sources are translated here, where that is fast.
// Knows vitest and processes, not which processors there are.

import { execFileSync, fork } from "node:child_process";
import { resolve } from "node:path";
import { startVitest } from "vitest/node";
import { root } from "./build.mjs";

/**
 * `node` is the command that runs the emulated Node; `variants` are the kernels that must run there, the one that must be
 * chosen first; `leaveOut` is a pattern of test names. Throws when a test fails, and when a file has tests of none of the
 * variants: a lane that runs nothing must not be green.
 */
export async function runEmulated({ node, addon, variants, files = [], leaveOut }) {
  const chosen = chosenKernels({ node, addon });
  if (chosen !== variants[0]) throw new Error(`kernels "${chosen}" were chosen, not "${variants[0]}"`);
  if (files.length === 0) return;
  const vitest = await startVitest("test", files, {
    root,
    config: false,
    watch: false,
    reporters: ["default"],
    slowTestThreshold: Number.POSITIVE_INFINITY, // all are
    silent: "passed-only",
    pool: { name: "emulated", createPoolWorker: (options) => createWorker({ node, ...options }) },
    maxWorkers: "100%",
    testTimeout: 600_000, // ten to fifty times slower than here
    hookTimeout: 600_000,
    // With CI, missing kernels fail instead of being skipped.
    env: { GPT_OSS_NATIVE: addon, GPT_OSS_KERNELS: undefined, CI: "1" },
    ...(leaveOut !== undefined && { testNamePattern: `^(?!.*(${leaveOut}))` }),
  });
  const modules = vitest.state.getTestModules();
  const errors = vitest.state.getUnhandledErrors().length;
  await vitest.close();
  if (errors > 0 || modules.some((module) => !module.ok())) throw new Error("emulated tests failed");
  for (const file of files) {
    const passed = modules
      .filter(({ relativeModuleId }) => relativeModuleId === file)
      .flatMap((module) => [...module.children.allTests("passed")].map(({ fullName }) => fullName));
    for (const variant of variants) {
      const count = passed.filter((name) => name.includes(`, ${variant}`)).length;
      console.log(`${file}: ${count} tests of ${variant} passed`);
      if (count === 0) throw new Error(`no test of ${variant} ran`);
    }
  }
}

/** What the addon chooses by itself there. */
function chosenKernels({ node: [command, ...args], addon }) {
  const script = 'process.stdout.write(new (require(process.argv[1]).NativeBackend)("", 1).kernels)';
  return execFileSync(command, [...args, "-e", script, addon], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** vitest's own worker of processes, but for the command that is started. */
function createWorker({ node: [command, ...args], distPath, execArgv, env }) {
  let child;
  return {
    name: "emulated",
    cacheFs: true,
    on: (event, callback) => child.on(event, callback),
    off: (event, callback) => child.off(event, callback),
    send: (message) => child.send(message),
    deserialize: (data) => data,
    async start() {
      child = fork(resolve(distPath, "workers/forks.js"), [], {
        execPath: command,
        execArgv: [...args, ...execArgv],
        env,
        stdio: ["ignore", "inherit", "inherit", "ipc"],
        serialization: "advanced",
      });
    },
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((done) => child.once("exit", done));
      child.kill("SIGKILL"); // vitest has said goodbye to it before
      await ended;
    },
  };
}
