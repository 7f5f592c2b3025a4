// Builds and runs kernels.cc: `node bench/native/kernels.mjs [variant…]`.

import { join } from "node:path";
import { buildProgram, root, run } from "../../scripts/native/build.mjs";

const program = await buildProgram({
  name: "bench",
  compiler: process.env.CXX ?? "g++",
  arch: process.arch,
  sources: [join(root, "bench/native/kernels.cc")],
});
await run(program, process.argv.slice(2));
