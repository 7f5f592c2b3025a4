// Our engine and node-llama-cpp on the same weights, in alternation, each in a process of its own; prints ratios.
//
//   node peers/run.mjs MODEL_FOLDER MODEL.gguf [--prefill 512] [--decode 32] [--rounds 3]
//
// MODEL.gguf is the same checkpoint: `gpt-oss convert --to gguf --dense q8_0`. The two files together may not fit in the
// page cache, so each is read once before its turn; llama.cpp's load time then is its own work, not the disk's.

import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openStream } from "../native/stream.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    prefill: { type: "string", default: "512" },
    decode: { type: "string", default: "32" },
    rounds: { type: "string", default: "3" },
  },
});
const [folder, gguf] = positionals;
if (!folder || !gguf || !existsSync(folder) || !existsSync(gguf)) {
  console.error(
    "usage: node peers/run.mjs MODEL_FOLDER MODEL.gguf [--prefill 512] [--decode 32] [--rounds 3]",
  );
  process.exit(2);
}

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const sizes = ["--prefill", values.prefill, "--decode", values.decode];
const peers = {
  ours: {
    files: readdirSync(folder)
      .filter((name) => name.endsWith(".safetensors"))
      .map((name) => join(folder, name)),
    args: [
      path("../../dist/cli/main.js"),
      "bench",
      "--model",
      folder,
      "--backend",
      "native",
      ...sizes,
      "--json",
    ],
    read: (report) => ({
      load: report.loadSeconds,
      prefill: report.prefillTokensPerSecond,
      decode: report.decodeTokensPerSecond,
    }),
  },
  "node-llama-cpp": {
    files: [gguf],
    args: [path("llama.mjs"), gguf, ...sizes],
    read: ({ load, prefill, decode }) => ({ load, prefill, decode }),
  },
};

const results = { ours: [], "node-llama-cpp": [] };
const stream = openStream();
const streams = [];
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, { files, args, read }] of Object.entries(peers)) {
    for (const file of files) await warm(file);
    streams.push(Math.max(await stream.read(), await stream.read(), await stream.read()));
    const output = execFileSync(process.execPath, args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    const figures = read(JSON.parse(output.trim().split("\n").at(-1)));
    results[name].push(figures);
    console.log(
      `${name.padEnd(15)} load ${figures.load.toFixed(2)} s, prefill ${figures.prefill.toFixed(1)}, ` +
        `decode ${figures.decode.toFixed(2)} tokens/s; memory streams at ${streams.at(-1).toFixed(1)} GB/s`,
    );
  }
}

stream.close();

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const ratios = (figure) => results.ours.map((ours, i) => ours[figure] / results["node-llama-cpp"][i][figure]);
console.log(`prefill of ${values.prefill}: ${median(ratios("prefill")).toFixed(2)} × node-llama-cpp`);
console.log(`decode:          ${median(ratios("decode")).toFixed(2)} × node-llama-cpp`);
console.log(`load:            ${(1 / median(ratios("load"))).toFixed(0)} × faster`);

/** Reads a file once, so that it is in the page cache if there is room. */
async function warm(file) {
  const start = performance.now();
  for await (const _ of createReadStream(file, { highWaterMark: 8 << 20 }));
  const seconds = (performance.now() - start) / 1000;
  if (seconds > 1)
    console.error(
      `read ${file.split("/").at(-1)} at ${(statSync(file).size / 1e9 / seconds).toFixed(1)} GB/s`,
    );
}
