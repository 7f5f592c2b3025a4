// What a grammar costs at 201,088 tokens: compiling, and the mask before every token of a document, the first time and
// again; against web-xgrammar (where `npm install` was run in bench/), against drawing the token, and against the
// least that a model of this vocabulary computes for a token: its last matrix, on the native backend.
// Run: npm run build && node bench/grammar/masks.mjs

import { existsSync, readFileSync } from "node:fs";
import Module from "node:module";
import { createNativeBackend } from "../../dist/backend/native/index.js";
import { random } from "../../dist/base/index.js";
import { createGrammarCompiler } from "../../dist/engine/grammar/compile.js";
import { parseRequest } from "../../dist/engine/request.js";
import { createScratch } from "../../dist/engine/sampler/row.js";
import { o200kHarmony, spellingOfBytes } from "../../dist/tokenizer/index.js";

const vocabularySize = 201_088;
const tokenizer = o200kHarmony();
const tokenBytes = (token) => (tokenizer.isSpecial(token) ? undefined : tokenizer.bytes(token));

const person = {
  type: "object",
  properties: {
    name: { type: "string" },
    email: { type: "string", format: "email" },
    age: { type: "integer", minimum: 0, maximum: 150 },
    role: { enum: ["admin", "editor", "reader"] },
    tags: { type: "array", items: { type: "string", maxLength: 30 }, maxItems: 5 },
    notes: { anyOf: [{ type: "string" }, { type: "null" }] },
  },
  required: ["name", "email", "age", "role", "tags", "notes"],
  additionalProperties: false,
};
const ann = {
  name: "Ann Müller-Østergård",
  email: "ann.mueller@example.com",
  age: 42,
  role: "editor",
  tags: ["quarterly report", "finance", "日本語"],
  notes:
    'She said "call me after three", then left. The second half of the plan is still open.\nSee page 12.',
};
const cases = {
  "a record": { schema: person, text: JSON.stringify(ann, null, 2) },
  "a list of records": {
    schema: {
      type: "object",
      properties: { people: { type: "array", items: person } },
      required: ["people"],
    },
    text: JSON.stringify({ people: [ann, ann, ann] }, null, 2),
  },
  "any JSON": {
    schema: true,
    text: JSON.stringify({ a: [1, 2.5, { b: null, c: "some text, of no great length" }] }),
  },
};

const timed = async (work) => {
  const start = performance.now();
  const result = await work();
  return { result, ms: performance.now() - start };
};
const sorted = (values) => values.toSorted((a, b) => a - b);
const summary = (values) => {
  const at = (share) =>
    sorted(values)[Math.min(values.length - 1, Math.floor(share * values.length))].toFixed(3);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return `mean ${mean.toFixed(3)}, median ${at(0.5)}, 95 % ${at(0.95)}, worst ${at(1)}`;
};

/** Mask, token, mask, token. */
async function follow(tokens, mask, accept) {
  const times = [];
  for (const token of tokens) {
    times.push((await timed(mask)).ms);
    if (!accept(token)) throw new Error(`the grammar refuses ${JSON.stringify(tokenizer.decode([token]))}`);
  }
  return times;
}

function ours(grammar, tokens) {
  let at = grammar.start;
  return follow(
    tokens,
    () => grammar.mask(at),
    (token) => (at = grammar.advance(at, token)) !== undefined,
  );
}

/** Published as an ES module around CommonJS code, which no loader takes as it is. */
function loadPeer() {
  const path = new URL("../node_modules/@mlc-ai/web-xgrammar/lib/index.js", import.meta.url).pathname;
  if (!existsSync(path)) return undefined;
  const module = new Module(path);
  module.filename = path;
  module._compile(readFileSync(path, "utf8"), path);
  return module.exports;
}

const vocabulary = await timed(() => {
  const compiler = createGrammarCompiler({ vocabularySize, tokenBytes });
  compiler.compile({ type: "choice", choices: ["a"] });
  return compiler;
});
console.log(`vocabulary, once an engine: ${vocabulary.ms.toFixed(0)} ms`);
// Another grammar, so that what is measured is neither cached nor interpreted.
for (const { text } of Object.values(cases))
  await ours(vocabulary.result.compile({ type: "json" }), tokenizer.encode(text).slice(0, 0));
for (let i = 0; i < 4; i++) {
  const schema = { ...person, description: `warm-up ${i}` };
  await ours(
    vocabulary.result.compile({ type: "json-schema", schema }),
    tokenizer.encode(cases["a record"].text),
  );
}

const peer = loadPeer();
const info =
  peer &&
  (await timed(() => {
    const words = Array.from({ length: vocabularySize }, (_, id) => {
      const bytes = tokenBytes(id);
      return bytes === undefined ? `<|${id}|>` : spellingOfBytes(bytes);
    });
    return peer.TokenizerInfo.createTokenizerInfo(words, "byte_level", false, vocabularySize, [200_002]);
  }));
if (info) console.log(`web-xgrammar: vocabulary ${info.ms.toFixed(0)} ms`);

for (const [name, { schema, text }] of Object.entries(cases)) {
  const tokens = tokenizer.encode(text);
  console.log(`\n${name}, ${tokens.length} tokens; milliseconds a mask`);
  const compiled = await timed(() => vocabulary.result.compile({ type: "json-schema", schema }));
  console.log(`  compiling            ${compiled.ms.toFixed(1)} ms`);
  console.log(`  the first time       ${summary(await ours(compiled.result, tokens))}`);
  console.log(`  again                ${summary(await ours(compiled.result, tokens))}`);
  if (!info) continue;
  const compiler = await peer.GrammarCompiler.createGrammarCompiler(info.result, false);
  const theirs = await timed(() => compiler.compileJSONSchema(JSON.stringify(schema)));
  console.log(`  web-xgrammar compiles ${theirs.ms.toFixed(1)} ms`);
  for (const round of ["the first time", "again"]) {
    const matcher = await peer.GrammarMatcher.createGrammarMatcher(theirs.result);
    const times = await follow(
      tokens,
      () => matcher.getNextTokenBitmask(),
      (token) => matcher.acceptToken(token),
    );
    console.log(`    ${round.padEnd(18)} ${summary(times)}`);
    matcher.dispose();
  }
}

console.log("\nbeside it, milliseconds a token");
const { normal } = random(1);
const rows = Array.from({ length: 4 }, () =>
  Float32Array.from({ length: vocabularySize }, () => 2.5 * normal()),
);
const scratch = createScratch(vocabularySize);
const tokens = tokenizer.encode(cases["a record"].text);
const state = {
  kind: "grammar",
  grammar: { type: "json-schema", schema: person },
  on: new Map([[200_002, 0]]),
};
for (const constraint of [undefined, { states: [state] }]) {
  const request = {
    tokens: [1],
    stopTokens: [200_002],
    sampling: { seed: 1 },
    ...(constraint && { constraint }),
  };
  const limits = { vocabularySize, contextLength: 10_000, grammars: vocabulary.result };
  const times = [];
  for (let round = 0; round < 10; round++) {
    const job = parseRequest(request, limits);
    for (const [index] of tokens.entries()) {
      const row = rows[index % 4];
      const { result, ms } = await timed(() => job.sample(row, scratch));
      times.push(ms);
      if (result.token === 200_002) break;
    }
  }
  console.log(`  drawing, ${constraint ? "with" : "without"} grammar  ${summary(times)}`);
}

const backend = await createNativeBackend();
const hidden = 2880;
const bytes = vocabularySize * hidden * 2;
const pattern = new Uint8Array(new Uint16Array(1 << 20).fill(0x3c12).buffer);
const matrix = await backend.loadMatrix({
  name: "unembedding",
  dtype: "BF16",
  shape: [vocabularySize, hidden],
  byteLength: bytes,
  async read(start = 0, end = bytes) {
    const part = new Uint8Array(end - start);
    for (let at = 0; at < part.length; at += pattern.length)
      part.set(pattern.subarray(0, part.length - at), at);
    return part;
  },
});
const table = await backend.loadMatrix({
  name: "embedding",
  dtype: "BF16",
  shape: [8, hidden],
  byteLength: 8 * hidden * 2,
  read: async (start = 0, end = 8 * hidden * 2) => pattern.slice(start, end),
});
const times = [];
for (let i = 0; i < 12; i++) {
  const { ms } = await timed(async () => {
    const x = backend.embed(table, Int32Array.of(1));
    const logits = backend.linear(x, matrix);
    await backend.read(logits);
    backend.free(x);
    backend.free(logits);
  });
  if (i > 1) times.push(ms);
}
console.log(
  `  the last matrix alone, [${vocabularySize}, ${hidden}], ${backend.description}: ${summary(times)}`,
);
