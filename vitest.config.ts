import { defineConfig } from "vitest/config";

/** These run what is built and packed, not the sources. */
const endToEnd = [
  "test/cli/*.test.ts",
  "test/{clients-docs,examples,package,pull,serve,server-faults,server-load,server-shared,terminal,thread}.test.ts",
];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    // What is waited for comes within milliseconds, but not on a machine that is busy with something else.
    expect: { poll: { timeout: 20_000 } },
    execArgv: ["--import", "./test/typescript.mjs"],
    // The default leaves a core idle, which on a machine with two doubles the wait.
    maxWorkers: "100%",
    projects: [
      {
        extends: true,
        test: { name: "rooms", include: ["src/**/*.test.ts", "test/**/*.test.ts"], exclude: endToEnd },
      },
      {
        extends: true,
        test: { name: "end to end", include: endToEnd, globalSetup: ["test/build.ts"], testTimeout: 120_000 },
      },
    ],
  },
});
