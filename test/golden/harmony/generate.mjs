// Writes schemas.json, headers.json and parsed.json with OpenAI's harmony library (npm openai-harmony 0.4.0, its WebAssembly
// build), on random input with fixed seeds. That library downloads o200k_base when it starts; here it gets the copy that
// gpt-tokenizer contains.
//
//   mkdir /tmp/g && cd /tmp/g && npm install openai-harmony@0.4.0 gpt-tokenizer
//   cp <repository>/test/golden/harmony/generate.mjs . && node generate.mjs <repository>/test/golden/harmony

import { readFileSync, writeFileSync } from "node:fs";

const folder = process.argv[2];
globalThis.fetch = async (input) => {
  const url = typeof input === "string" ? input : (input.url ?? String(input));
  if (url.startsWith("file:")) return new Response(readFileSync(new URL(url)), { headers: { "content-type": "application/wasm" } });
  const response = new Response(readFileSync("node_modules/gpt-tokenizer/data/o200k_base.tiktoken"));
  Object.defineProperty(response, "url", { value: url });
  return response;
};
const { load_harmony_encoding } = await import("openai-harmony");
const library = await load_harmony_encoding("HarmonyGptOss", "http://localhost/");

let seed = 20261120;
const float = () => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 32;
};
const below = (n) => Math.floor(float() * n);
const pick = (list) => list[below(list.length)];
const maybe = (chance) => float() < chance;
const several = (most, make) => Array.from({ length: below(most + 1) }, (_, index) => make(index));
const shuffled = (list) => list.map((item) => [float(), item]).sort((a, b) => a[0] - b[0]).map(([, item]) => item);

const texts = ["", "a", "hello world", "line\nbreak", "crlf\r\nline\r", "<|end|>", "  spaces  ", "São 東京 😀", "\n", "trailing\n", "null", '"q"', "tab\t", "// c", "\u2028", "x\n\n\ny"];
const numbers = [0, 1, -1, 10, 0.5, -2.75, 1e-7, 1e-5, 1.5e-5, 1e21, 1.5e300, 123456789012, 3.14159, -1e-6, 0.1 + 0.2];

const leaves = [() => null, () => true, () => false, () => pick(numbers), () => pick(texts), () => pick(texts)];
function json(depth = 0) {
  if (depth > 2 || maybe(0.7)) return pick(leaves)();
  if (maybe(0.5)) return several(2, () => json(depth + 1));
  return Object.fromEntries(several(2, (index) => [pick(["k", "é", "\n"]) + index, json(depth + 1)]));
}

const types = ["string", "number", "integer", "boolean", "array", "object", "object", "string", "null", "weird"];
function schema(depth = 0) {
  if (maybe(0.03)) return {};
  const deeper = () => schema(depth + 1);
  const keywords = [
    ["type", 0.9, () => (maybe(0.12) ? several(3, () => (maybe(0.1) ? 5 : pick(types))) : pick(types))],
    ["description", 0.3, () => (maybe(0.05) ? 5 : pick(texts))],
    ["title", 0.15, () => pick(texts)],
    ["default", 0.25, json],
    ["enum", 0.2, () => (maybe(0.1) ? "bad" : several(3, () => (maybe(0.8) ? pick(texts) : json())))],
    ["nullable", 0.15, () => (maybe(0.8) ? true : json())],
    ["examples", 0.12, () => (maybe(0.1) ? 5 : several(2, json))],
    ["const", 0.05, json],
    ["anyOf", 0.05, () => [{ type: "string" }]],
    ["oneOf", depth > 3 ? 0 : 0.15, () => (maybe(0.1) ? json() : several(3, deeper))],
    ["properties", depth > 3 ? 0 : 0.5, () => Object.fromEntries(several(4, (index) => [pick(["city", "a-b", "type", "é", "x y"]) + index, deeper()]))],
    ["items", depth > 3 ? 0 : 0.3, () => (maybe(0.05) ? json() : deeper())],
    ["required", 0.3, () => (maybe(0.1) ? json() : ["city0", "a-b1", "type2", pick([5, "é3"])])],
  ];
  return Object.fromEntries(shuffled(keywords).filter(([, chance]) => maybe(chance)).map(([key, , make]) => [key, make()]));
}

const textOf = (tokens) => library.decodeUtf8(Uint32Array.from(tokens));
const tools = (parameters) => ({ n: { name: "n", description: null, tools: [{ name: "f", description: "", parameters }] } });
function rendered(parameters) {
  const content = [{ type: "developer_content", instructions: null, tools: tools(parameters) }];
  const text = textOf(library.render({ role: "developer", content }, { conversation_has_function_tools: false }));
  const [, type] = /type f = \(_: ([^]*)\) => any;/.exec(text);
  return { schema: parameters, text: type };
}
const schemas = [];
while (schemas.length < 250) {
  const item = rendered(schema());
  if (item.text.length > 20) schemas.push(item);
}
writeFileSync(`${folder}/schemas.json`, `[\n${schemas.map((item) => JSON.stringify(item)).join(",\n")}\n]\n`);

const namespaces = () =>
  maybe(0.4) ? null : Object.fromEntries(["functions", "zeta", "Alpha", "functions2"].filter(() => maybe(0.4)).map((key) => [key, {
    name: maybe(0.1) ? "other" : key,
    description: maybe(0.5) ? null : pick(texts),
    tools: several(2, (index) => ({ name: pick(["get", "a-b", "Ü"]) + index, description: pick(texts), parameters: maybe(0.5) ? null : { type: "string" } })),
  }]));
const structured = {
  system: () => ({
    type: "system_content",
    model_identity: maybe(0.2) ? null : pick(texts),
    reasoning_effort: pick([null, "Low", "Medium", "High"]),
    tools: namespaces(),
    conversation_start_date: maybe(0.5) ? null : "2025-01-01",
    knowledge_cutoff: maybe(0.3) ? null : pick(texts),
    channel_config: maybe(0.2) ? null : { valid_channels: ["analysis", "final", "x"].slice(below(4)), channel_required: maybe(0.5) },
  }),
  developer: () => ({ type: "developer_content", instructions: maybe(0.3) ? null : pick(texts), tools: namespaces() }),
};
function message() {
  const role = pick(["system", "developer", "user", "assistant", "assistant", "tool"]);
  const part = () => (role in structured && maybe(0.8) ? structured[role]() : { type: "text", text: pick(texts) });
  const fields = [
    ["name", role === "tool" ? 1 : 0.1, () => pick(["functions.get", "bob", "python", "x y"])],
    ["recipient", 0.3, () => pick(["functions.get", "all", "assistant", "", "x y"])],
    ["channel", role === "assistant" ? 0.9 : 0.2, () => pick(["analysis", "commentary", "final", "weird", ""])],
    ["content_type", 0.3, () => pick(["<|constrain|>json", "json", "<|constrain|>", "<|constrain|> json", "code", ""])],
  ];
  const header = Object.fromEntries(fields.filter(([, chance]) => maybe(chance)).map(([key, , make]) => [key, make()]));
  return { role, ...header, content: Array.from({ length: pick([0, 1, 1, 1, 2, 3]) }, part) };
}
const headers = Array.from({ length: 150 }, () => {
  const messages = [message(), ...several(3, message)];
  const tokens = Array.from(library.renderConversationForCompletion({ messages }, "assistant", { auto_drop_analysis: false }));
  return { messages, tokens };
});
writeFileSync(`${folder}/headers.json`, `[\n${headers.map((item) => JSON.stringify(item)).join(",\n")}\n]\n`);

const special = (name) => Array.from(library.encode(`<|${name}|>`, [`<|${name}|>`]));
const plain = (text) => Array.from(library.encode(text, []));
const contents = ["", "Hello", "hi there\nyou", "emoji 😀👨‍👩‍👧", '{"a":1}', "東京 tokyo", "<|end|>"];
const specials = ["start", "start", "channel", "channel", "message", "message", "end", "end", "return", "call", "constrain"];
const words = ["assistant", "assistant", "user", "functions.f", " to=functions.f", "analysis", "final", "commentary", " json", " code", " to=", " ", "\n", "to=assistant", " extra words", ...contents];
function wellFormed() {
  const role = pick(["assistant", "assistant", "assistant", "user", "functions.f to=assistant", "python to=assistant", "system", "developer"]);
  const isCall = role === "assistant" && maybe(0.4);
  const recipient = isCall ? plain(` to=${pick(["functions.f", "python", "browser.search", "functions.get_weather"])}`) : [];
  const recipientFirst = maybe(0.5);
  const channel = maybe(role === "assistant" ? 0.9 : 0.3) ? [...special("channel"), ...plain(pick(["analysis", "commentary", "final"]))] : [];
  const json = maybe(0.7) ? [...plain(maybe(0.5) ? " " : ""), ...special("constrain"), ...plain("json")] : plain(" code");
  return [
    ...special("start"), ...plain(role), ...(recipientFirst ? recipient : []), ...channel, ...(recipientFirst ? [] : recipient),
    ...(isCall && maybe(0.6) ? json : []), ...special("message"), ...plain(pick(contents)), ...special(pick(["end", "end", "return", "call"])),
  ];
}
function mutated(tokens) {
  for (let times = 1 + below(3); times > 0; times--) {
    const at = below(tokens.length);
    const other = below(tokens.length);
    const action = pick(["delete", "double", "swap", "insert"]);
    if (action === "delete") tokens.splice(at, 1);
    else if (action === "double") tokens.splice(at, 0, tokens[at]);
    else if (action === "swap") [tokens[at], tokens[other]] = [tokens[other], tokens[at]];
    else tokens.splice(at, 0, ...(maybe(0.6) ? special(pick(specials)) : plain(pick(words))));
  }
  return tokens;
}
/** Messages, or null where the library refuses. */
function parse(tokens, role) {
  try {
    return JSON.parse(library.parseMessagesFromCompletionTokens(Uint32Array.from(tokens), role));
  } catch {
    return null;
  }
}
/** This build stops decoding a text at the first byte that is not UTF-8 (mended in harmony 0.0.8). */
const isUtf8 = (tokens) => {
  try {
    return !textOf(tokens).includes("\ufffd");
  } catch {
    return false;
  }
};
const parsed = [];
while (parsed.length < 1000) {
  const isWellFormed = maybe(0.4);
  const whole = [wellFormed(), ...several(2, wellFormed)].flat();
  const isCompletion = maybe(0.5) && textOf(whole).startsWith("<|start|>assistant");
  const cut = isCompletion ? whole.slice(2) : whole;
  const tokens = isWellFormed ? cut : mutated(cut);
  const role = isCompletion ? "assistant" : null;
  // Without a role, the library wants the tokens to begin with a message.
  if (tokens.length === 0 || !isUtf8(tokens)) continue;
  parsed.push({ isWellFormed, role, tokens, messages: parse(tokens, role ?? undefined) });
}
writeFileSync(`${folder}/parsed.json`, `[\n${parsed.map((item) => JSON.stringify(item)).join(",\n")}\n]\n`);
console.log({ schemas: schemas.length, headers: headers.length, parsed: parsed.length, refused: parsed.filter((item) => item.messages === null).length });
