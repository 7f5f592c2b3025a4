// Runs after `npm ci` in a checkout: builds dist/, and the native kernels when a C++ compiler is there.
// It is the `dependencies` script, which npm runs in the repository itself only; of a `prepare` script npm warns whoever
// installs the tarball, although it would not run there either.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildAddon } from "./native/addon.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = (name) => join(root, "node_modules", ".bin", name);

if (!existsSync(bin("tsc"))) {
  console.warn("gpt-oss: development dependencies are not installed; nothing was built.");
  process.exit(0);
}

const tsc = spawnSync(bin("tsc"), ["-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const failure = buildAddon();
if (failure !== undefined) {
  console.warn(
    "gpt-oss: the native kernels were not built; the slower TypeScript backend will be used.\n" +
      "  To build them: install a C++17 compiler, make and python3, then `node scripts/prepare.mjs`.",
  );
  console.warn(failure);
}
