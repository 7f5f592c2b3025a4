// Tests of the native code without Node: every variant of kernels that this machine can run.
//
//   node scripts/native/test.mjs [variant…]            npm run test:native
//   node scripts/native/test.mjs --arm                 npm run test:arm: cross-compiled, under qemu
//   node scripts/native/test.mjs --sanitize            npm run test:sanitize: address and undefined, then threads
//
// CXX names another compiler.

import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { buildProgram, run, sourcesIn } from "./build.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { arm: { type: "boolean" }, sanitize: { type: "boolean" } },
});
const compiler = process.env.CXX ?? "g++";
const sources = sourcesIn("native/test");

try {
  if (values.arm) await testArm();
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
  const cross = "aarch64-linux-gnu-g++";
  need(cross, "g++-aarch64-linux-gnu");
  need("qemu-aarch64", "qemu-user");
  // Static, because there are no libraries of that machine here.
  const linkFlags = ["-static"];
  const program = await buildProgram({
    name: "arm",
    compiler: cross,
    arch: "arm64",
    os: "linux",
    linkFlags,
    sources,
  });
  await run("qemu-aarch64", ["-cpu", "max", program, ...positionals]);
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
