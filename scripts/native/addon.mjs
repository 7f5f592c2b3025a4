// Builds native/ with node-gyp, in place.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Where node-gyp leaves the addon. */
export const builtAddon = join(root, "native", "build", "Release", "gptoss.node");

/** → why it failed, or undefined. */
export function buildAddon() {
  const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  // Official Node builds ship their headers beside the binary; using them avoids a download.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, "include", "node", "node_api.h")) ? [`--nodedir=${prefix}`] : [];
  const build = spawnSync(process.execPath, [nodeGyp, "rebuild", "-C", "native", "-j", "max", ...headers], {
    cwd: root,
    encoding: "utf8",
  });
  if (build.status === 0) return undefined;
  return (build.stderr || String(build.error ?? "")).split("\n").slice(-15).join("\n");
}
