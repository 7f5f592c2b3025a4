// Tests of the native code: without Node, every variant of kernels that this machine can run; and in an emulated Node,
// the addon with the suites of src/, on processors that this machine is not.
//
//   node scripts/native/test.mjs [variant…]            npm run test:native
//   node scripts/native/test.mjs --arm [--all]         npm run test:arm: cross-compiled, under qemu
//   node scripts/native/test.mjs --older               npm run test:older: this machine's addon on older x86 processors
//   node scripts/native/test.mjs --sanitize            npm run test:sanitize: address and undefined, then threads
//
// CXX names another compiler. --all runs the longest golden prompts, too: five minutes instead of three.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { builtAddon } from "./addon.mjs";
import { armNode, buildArmAddon, cross, emulator } from "./arm.mjs";
import { buildProgram, run, sourcesIn } from "./build.mjs";
import { runEmulated } from "./emulated.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    arm: { type: "boolean" },
    all: { type: "boolean" },
    older: { type: "boolean" },
    sanitize: { type: "boolean" },
  },
});
const compiler = process.env.CXX ?? "g++";
const sources = sourcesIn("native/test");
const conformance = "src/backend/native/native.test.ts";
const stored = "src/backend/native/stored-blocks.test.ts";
const goldens = "src/model/golden-native.test.ts";

try {
  if (values.arm) await testArm();
  else if (values.older) await testOlder();
  else if (values.sanitize) await testSanitizers();
  else await test();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}

async function test() {
  need(compiler, "g++");
  const program = await buildProgram({ name: "native", compiler, arch: process.arch, sources });
  await run(program, positionals);
}

async function testArm() {
  need(`${cross}g++`, "g++-aarch64-linux-gnu");
  need("qemu-aarch64", "qemu-user");
  // With dot product and little more, so that instructions that were not meant to be used do not go unnoticed.
  const withDot = emulator("cortex-a76");
  const program = await buildProgram({
    name: "arm",
    compiler: `${cross}g++`,
    arch: "arm64",
    os: "linux",
    linkFlags: ["-static"],
    sources,
  });
  const [command, ...args] = withDot;
  // Portable kernels are the same C++ as here: the suites below run them.
  await run(command, [...args, program, ...(positionals.length > 0 ? positionals : ["neon"])]);

  const prefix = await armNode();
  const addon = buildArmAddon(prefix);
  const node = `${prefix}/bin/node`;
  await runEmulated({ node: [...emulator("cortex-a72"), node], addon, variants: ["portable"] });
  await runEmulated({
    node: [...withDot, node],
    addon,
    variants: ["neon", "portable"],
    files: [goldens, conformance, stored],
    ...(!values.all && { leaveOut: "4500 tokens" }),
  });
}

/** Code that was compiled for a newer processor must not run on an older one: not when the addon is loaded, nor later. */
async function testOlder() {
  if (process.arch !== "x64") throw new Error("the addon that is built here is not for x86");
  need("qemu-x86_64", "qemu-user");
  // What takes longest here adds sizes, not code.
  const leaveOut =
    "widths of the published|positions past|a window of 128|a long prompt|every number of rows";
  for (const [cpu, variants] of [
    ["Nehalem", ["portable"]],
    // Without what the emulator would warn of.
    ["Haswell-noTSX,-pcid,-x2apic,-tsc-deadline,-invpcid", ["avx2", "portable"]],
  ]) {
    const node = ["qemu-x86_64", "-cpu", cpu, process.execPath];
    await runEmulated({ node, addon: builtAddon, variants, files: [conformance, stored], leaveOut });
  }
}

async function testSanitizers() {
  need(compiler, "g++");
  const common = ["-O1", "-g", "-fno-omit-frame-pointer"];
  const address = await buildProgram({
    name: "sanitize-address",
    compiler,
    arch: process.arch,
    flags: [...common, "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
    sources,
  });
  await run(address, positionals, { env: { ...process.env, UBSAN_OPTIONS: "print_stacktrace=1" } });
  const thread = await buildProgram({
    name: "sanitize-thread",
    compiler,
    arch: process.arch,
    flags: [...common, "-fsanitize=thread"],
    sources,
  });
  // Kernels run on one thread: only what shares memory is of interest, with and without tiles.
  const env = { ...process.env, TSAN_OPTIONS: "halt_on_error=1" };
  const names = positionals.length > 0 ? positionals : ["best", "portable"];
  for (const group of ["runtime", "ops"]) await run(thread, ["--only", group, ...names], { env });
}

function need(command, debianPackage) {
  if (spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0) return;
  throw new Error(`${command} is not installed: on Debian, apt-get install ${debianPackage}`);
}
