// o200k_harmony, the tokenizer of gpt-oss, built in: no download, no WebAssembly.
import { o200kHarmony } from "gpt-oss/tokenizer";

const tokenizer = o200kHarmony();
const tokens = tokenizer.encode("Straße 🧮");
console.log(tokens);

// Streaming: bytes of an unfinished character wait for the token that completes it.
const decoder = tokenizer.streamDecoder();
for (const token of tokens) console.log(token, JSON.stringify(decoder.push(token)));
console.log(JSON.stringify(decoder.flush()));
