// Runs after `npm ci` in a checkout: builds dist/, and the native kernels when a C++ compiler is there.
// An installed package never gets here: npm runs `prepare` only in the repository itself.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);

if (!existsSync(bin("tsc"))) {
  console.warn("gpt-oss: development dependencies are not installed; nothing was built.");
  process.exit(0);
}

const tsc = spawnSync(bin("tsc"), ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

if (existsSync(join(root, "native", "binding.gyp"))) buildNative();

function buildNative() {
  const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  // Official Node builds ship their headers beside the binary; using them avoids a download.
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, "include", "node", "node_api.h")) ? [`--nodedir=${prefix}`] : [];
  const build = spawnSync(process.execPath, [nodeGyp, "rebuild", "-C", "native", "-j", "max", ...headers], {
    cwd: root,
    encoding: "utf8",
  });
  if (build.status === 0) return;
  console.warn(
    "gpt-oss: the native kernels were not built; the slower TypeScript backend will be used.\n" +
      "  To build them: install a C++17 compiler, make and python3, then `npm run prepare`.",
  );
  console.warn((build.stderr || String(build.error ?? "")).split("\n").slice(-15).join("\n"));
}
