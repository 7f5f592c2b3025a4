// Builds native/, or a copy of it, with node-gyp, in place.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Where node-gyp leaves the addon. */
export const builtAddon = join(root, "native", "build", "Release", "gptoss.node");

/** For this machine, or for another with a Node of it at `prefix`. → why it failed, or undefined. */
export function buildAddon({
  folder = "native",
  arch = process.arch,
  prefix = dirname(dirname(process.execPath)),
  environment = {},
} = {}) {
  const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  // Official Node builds ship their headers beside the binary; using them avoids a download.
  const headers = existsSync(join(prefix, "include", "node", "node_api.h")) ? [`--nodedir=${prefix}`] : [];
  const args = [nodeGyp, "rebuild", "-C", folder, `--arch=${arch}`, "-j", "max", ...headers];
  const build = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  if (build.status === 0) return undefined;
  return (build.stderr || String(build.error ?? "")).split("\n").slice(-15).join("\n");
}
