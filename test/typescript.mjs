// Preloaded into the tests' processes, and so into the threads that they start: a thread's main module is a source file,
// and Node before 22.18 does not run TypeScript by itself. vitest translates only what it imports itself.

import { register } from "node:module";
import process from "node:process";

if (!process.features.typescript) register("./typescript-hooks.mjs", import.meta.url);
