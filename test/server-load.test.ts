// The load test of bench/server, for some seconds and with the exact backend: many streaming clients over real sockets,
// every text compared with the engine's own, while other clients vanish.

import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

test("many clients at once get their own tokens, all of them and once, while others vanish", () => {
  const args = ["--seconds", "8", "--clients", "16", "--pairs", "0", "--backend", "reference", "--json"];
  const { stdout, stderr } = spawnSync(process.execPath, ["bench/server/load.mjs", ...args], {
    encoding: "utf8",
    timeout: 100_000,
  });
  const result = JSON.parse(stdout.trim().split("\n").at(-1) || stderr) as Record<string, unknown>;
  expect(result).toMatchObject({ clients: 16, errors: [], wrong: [], stillRunning: 0 });
  expect(result.requests).toBeGreaterThan(16);
  expect(result.vanished).toBeGreaterThan(2);
  // Equal clients, so that each should have got about the same; measured over seconds, not over a minute.
  expect(result.fairness).toBeLessThan(2);
});
