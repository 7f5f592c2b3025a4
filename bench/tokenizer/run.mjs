// The tokenizer against OpenAI's own `tiktoken` (WebAssembly), in one process, samples in turn.
// Run: npm run build && node bench/tokenizer/run.mjs

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { get_encoding } from "tiktoken";
import { o200kHarmony } from "../../dist/tokenizer/index.js";
import { corpora } from "./corpora.mjs";

const samples = 15;
const ours = o200kHarmony();
const tiktoken = get_encoding("o200k_base");

const timed = (work) => {
  const start = performance.now();
  work();
  return performance.now() - start;
};

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** Runs both in turn and returns the median of each and of the ratios, with the ratios' range. */
function paired(mine, theirs) {
  for (let i = 0; i < 3; i++) [mine, theirs].forEach(timed);
  const times = Array.from({ length: samples }, () => [timed(mine), timed(theirs)]);
  const ratios = times.map(([a, b]) => b / a);
  return {
    mine: median(times.map(([a]) => a)),
    theirs: median(times.map(([, b]) => b)),
    ratio: median(ratios),
    range: `${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)}`,
  };
}

console.log("Encoding, MB of UTF-8 a second");
for (const [name, text] of Object.entries(corpora)) {
  const ids = ours.encode(text);
  if (ids.join() !== tiktoken.encode_ordinary(text).join()) throw new Error(`${name}: the tokens differ`);
  const megabytes = Buffer.byteLength(text) / 1e6;
  const { mine, theirs, ratio, range } = paired(
    () => ours.encode(text),
    () => tiktoken.encode_ordinary(text),
  );
  const rate = (ms) => ((1000 * megabytes) / ms).toFixed(1).padStart(6);
  console.log(
    `  ${name.padEnd(14)} ${megabytes.toFixed(2)} MB, ${ids.length} tokens: ${rate(mine)} against ${rate(theirs)}, ` +
      `${ratio.toFixed(1)} times as fast (${range})`,
  );
}

console.log("Short strings, microseconds a call");
for (const text of [" the", "Hello, world!", "What is 47 + 85? Explain step by step.", "你好，世界！🙂"]) {
  const many = (encode) => () => {
    for (let i = 0; i < 20_000; i++) encode(text);
  };
  const { mine, theirs, ratio, range } = paired(
    many((value) => ours.encode(value)),
    many((value) => tiktoken.encode_ordinary(value)),
  );
  console.log(
    `  ${JSON.stringify(text).padEnd(42)} ${(mine / 20).toFixed(2)} against ${(theirs / 20).toFixed(2)}, ` +
      `${ratio.toFixed(1)} times as fast (${range})`,
  );
}

console.log("Decoding, million tokens a second");
{
  const ids = ours.encode(corpora["English prose"]);
  const theirIds = Uint32Array.from(ids);
  const utf8 = new TextDecoder();
  const { mine, theirs, ratio, range } = paired(
    () => ours.decode(ids),
    () => utf8.decode(tiktoken.decode(theirIds)),
  );
  const rate = (ms) => (ids.length / ms / 1000).toFixed(1);
  console.log(
    `  at once: ${rate(mine)} against ${rate(theirs)}, ${ratio.toFixed(1)} times as fast (${range})`,
  );
  const decoder = ours.streamDecoder();
  const streaming = median(
    Array.from({ length: samples }, () =>
      timed(() => {
        for (const id of ids) decoder.push(id);
        decoder.flush();
      }),
    ),
  );
  console.log(`  one by one, as a stream: ${rate(streaming)}`);
}

console.log(
  "Hostile text, milliseconds for one megabyte (tiktoken: for 1/50 of it, because it is quadratic)",
);
for (const [name, unit] of Object.entries({
  "one letter": "a",
  spaces: " ",
  digits: "7",
  emoji: "🎉",
  ideographs: "漢字",
})) {
  const text = unit.repeat(1_000_000 / unit.length);
  const part = text.slice(0, text.length / 50);
  const mine = median([1, 2, 3].map(() => timed(() => ours.encode(text))));
  const theirs = median([1, 2, 3].map(() => timed(() => tiktoken.encode_ordinary(part))));
  console.log(`  ${name.padEnd(12)} ${mine.toFixed(0)} (tiktoken ${theirs.toFixed(0)})`);
}

console.log("From nothing to the first tokens, milliseconds in a fresh process, median of 7 taken in turn");
{
  const here = (path) => fileURLToPath(new URL(path, import.meta.url));
  const scripts = {
    ours: `const { o200kHarmony } = await import(${JSON.stringify(here("../../dist/tokenizer/index.js"))}); o200kHarmony().encode("Hello");`,
    tiktoken: `const { get_encoding } = await import("tiktoken"); get_encoding("o200k_base").encode_ordinary("Hello");`,
  };
  const times = Object.fromEntries(Object.keys(scripts).map((name) => [name, []]));
  for (let i = 0; i < 7; i++) {
    for (const [name, script] of Object.entries(scripts)) {
      const program = `const start = performance.now(); ${script} console.log(performance.now() - start);`;
      const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
        cwd: here("../../"),
      });
      times[name].push(Number(output));
    }
  }
  console.log(`  ${median(times.ours).toFixed(0)} (tiktoken ${median(times.tiktoken).toFixed(0)})`);
}
