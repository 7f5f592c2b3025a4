// Builds a program from native/ without node-gyp and without Node: kernels, operations, runtime, and its own files.
// Objects are kept by configuration in build/native/, and made again when a file that they include is newer.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTargets } from "./gyp.mjs";

export const root = fileURLToPath(new URL("../../", import.meta.url));
const native = join(root, "native");

/**
 * `compiler` is a command; `flags` follow those of binding.gyp, and so win; `sources` are the program's own files.
 * → the program's path. Throws when something does not compile.
 */
export async function buildProgram({
  name,
  compiler,
  arch,
  os = process.platform,
  flags = [],
  linkFlags = [],
  sources,
}) {
  const folder = join(root, "build", "native", name);
  mkdirSync(folder, { recursive: true });
  const targets = readTargets(join(native, "binding.gyp"), { arch, os });
  const jobs = targets.flatMap((target) =>
    target.sources
      .filter((source) => !source.startsWith("addon/"))
      .map((source) => ({ source: join(native, source), flags: [...target.flags, ...flags] })),
  );
  for (const source of sources)
    jobs.push({ source, flags: ["-std=c++17", "-O1", "-Wall", "-Wextra", ...flags] });
  for (const job of jobs) {
    const hash = createHash("sha1").update([compiler, job.source, ...job.flags].join("\0"));
    job.object = join(folder, `${basename(job.source, ".cc")}-${hash.digest("hex").slice(0, 8)}.o`);
  }
  const stale = jobs.filter(isStale);
  await inParallel(stale, (job) => compile(compiler, job));
  const program = join(folder, "program");
  if (stale.length > 0 || !existsSync(program)) {
    await run(compiler, [
      ...flags,
      "-o",
      program,
      ...jobs.map((job) => job.object),
      "-pthread",
      ...linkFlags,
    ]);
  }
  return program;
}

export function sourcesIn(folder) {
  return readdirSync(join(root, folder))
    .filter((file) => file.endsWith(".cc"))
    .map((file) => join(root, folder, file));
}

/** Resolves when the command succeeds; its output goes where ours does. */
export function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: "inherit", ...options });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with ${signal ?? code}`));
    });
  });
}

function compile(compiler, { source, object, flags }) {
  return run(compiler, [...flags, "-MMD", "-pthread", "-c", source, "-o", object]);
}

/** Make's rules, as the compiler wrote them: "object: source header header \". */
function isStale({ object }) {
  const rules = object.replace(/\.o$/, ".d");
  if (!existsSync(object) || !existsSync(rules)) return true;
  const made = statSync(object).mtimeMs;
  const inputs = readFileSync(rules, "utf8").replaceAll("\\\n", " ").split(/\s+/).slice(1).filter(Boolean);
  return inputs.some((file) => !existsSync(file) || statSync(file).mtimeMs > made);
}

async function inParallel(items, work) {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}
