// Compiles stream.cc and keeps it running: each `read()` gives the GB/s of a plain streaming read, just now.

import { execFileSync, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export function openStream(threads) {
  const source = fileURLToPath(new URL("stream.cc", import.meta.url));
  const binary = join(tmpdir(), `gpt-oss-stream-${process.pid}`);
  execFileSync("c++", ["-O3", "-std=c++17", "-march=native", "-pthread", "-Wno-psabi", source, "-o", binary]);
  const child = spawn(binary, threads === undefined ? [] : [String(threads)], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async read() {
      child.stdin.write(".");
      return Number((await lines.next()).value);
    },
    close() {
      child.stdin.end();
      rmSync(binary);
    },
  };
}
