// Builds the native kernels for this platform and puts them where `npm pack` takes them and an installed package looks:
// prebuilds/<platform>-<arch>/gptoss.node. Runs before packing; without a compiler the package goes without them.
//
//   node scripts/prebuild.mjs              npm run prebuilds (`prebuild` is npm's hook before `build`)
//   node scripts/prebuild.mjs --built      takes what native/build/Release has
//   node scripts/prebuild.mjs --optional   says so, and succeeds, where nothing can be built (before packing)

import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildAddon, builtAddon } from "./native/addon.mjs";

/** What the official builds of Node 20 need. */
const newestGlibc = 28;

const { values } = parseArgs({ options: { built: { type: "boolean" }, optional: { type: "boolean" } } });
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = join(root, "prebuilds", `${process.platform}-${process.arch}`);
const target = join(folder, "gptoss.node");

const failure = values.built ? undefined : buildAddon();
if (failure !== undefined || !existsSync(builtAddon)) {
  rmSync(target, { force: true }); // an old one must not be packed in its place
  console.warn(
    `gpt-oss: no native kernels for ${process.platform}-${process.arch} in this package\n${failure ?? ""}`,
  );
  process.exit(values.optional ? 0 : 1);
}

mkdirSync(folder, { recursive: true });
copyFileSync(builtAddon, target);
// Symbols that only debuggers read; without the tool they stay.
spawnSync("strip", process.platform === "darwin" ? ["-x", target] : ["--strip-unneeded", target], {
  stdio: "ignore",
});

const script = "process.stdout.write(require(process.argv[1]).variants.map((v) => v.name).join(', '))";
const variants = execFileSync(process.execPath, ["-e", script, target], { encoding: "utf8" });
const glibc = neededGlibc(target);
if (glibc > newestGlibc) {
  rmSync(target);
  console.error(
    `gpt-oss: the binary needs glibc 2.${glibc}, and must run with 2.${newestGlibc}: see native/addon/old_glibc.cc`,
  );
  process.exit(1);
}
const size = Math.round(statSync(target).size / 1024);
console.log(
  `${relative(root, target)}: ${size} KiB, ${variants}${glibc > 0 ? `, needs glibc 2.${glibc}` : ""}`,
);

/** Minor version of the newest glibc symbol; 0 where there is none. */
function neededGlibc(file) {
  const versions = [...readFileSync(file, "latin1").matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) =>
    Number(minor),
  );
  return Math.max(0, ...versions);
}
