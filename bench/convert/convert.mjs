// Conversions of a model against a plain copy of its weights, in alternation, each in a process of its own.
//
//   node convert/convert.mjs MODEL --out EMPTY_FOLDER [--to gguf,gguf:q8_0,original] [--rounds 3]
//
// Prints, for each conversion, the median of (time to copy / time to convert) over the rounds, which is 1 where
// converting is as fast as copying, and the peak memory of the process. The folder needs room for one copy of the model.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: "string" },
    to: { type: "string", default: "gguf,gguf:q8_0,original" },
    rounds: { type: "string", default: "3" },
    step: { type: "string" },
  },
});
const [model] = positionals;
if (!model || !values.out) {
  console.error(
    "usage: node convert/convert.mjs MODEL --out EMPTY_FOLDER [--to gguf,gguf:q8_0,original] [--rounds 3]",
  );
  process.exit(2);
}
const seconds = () => performance.now() / 1000;

if (values.step) await step(values.step);
else compare();

/** In a process of its own: one copy or one conversion, reported as JSON. */
async function step(target) {
  const start = seconds();
  if (target === "copy") {
    mkdirSync(values.out);
    for (const file of weights()) copyFileSync(file, join(values.out, basename(file)));
  } else {
    const { convert } = await import("../../dist/library/node/index.js");
    const [to, dense = "bf16", experts = "mxfp4"] = target.split(":");
    const out = to === "gguf" ? join(values.out, "model.gguf") : values.out;
    await convert({ model, to, dense, experts, out });
  }
  console.log(
    JSON.stringify({ seconds: seconds() - start, peakBytes: process.resourceUsage().maxRSS * 1024 }),
  );
}

function weights() {
  if (statSync(model).isFile()) return [model];
  return readdirSync(model)
    .filter((name) => name.endsWith(".safetensors"))
    .map((name) => join(model, name));
}

function compare() {
  const bytes = weights().reduce((sum, file) => sum + statSync(file).size, 0);
  const targets = values.to.split(",");
  const measured = new Map(targets.map((target) => [target, { ratios: [], peaks: [], rates: [] }]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const target of targets) {
      const copy = measure("copy");
      const conversion = measure(target);
      const { ratios, peaks, rates } = measured.get(target);
      ratios.push(copy.seconds / conversion.seconds);
      rates.push(bytes / conversion.seconds / 1e6);
      peaks.push(conversion.peakBytes / 1e6);
    }
  for (const [target, { ratios, peaks, rates }] of measured)
    console.log(
      `${target}: ${median(ratios).toFixed(2)} of a copy's speed (${median(rates).toFixed(0)} MB/s of input), ` +
        `peak memory ${Math.max(...peaks).toFixed(0)} MB; ratios ${ratios.map((ratio) => ratio.toFixed(2)).join(" ")}`,
    );
}

/** What is written is deleted before the next one. */
function measure(target) {
  const out = join(values.out, `step-${process.pid}`);
  try {
    const script = fileURLToPath(import.meta.url);
    return JSON.parse(execFileSync(process.execPath, [script, model, "--out", out, "--step", target]));
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
