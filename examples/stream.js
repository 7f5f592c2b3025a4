// The same answer as it comes: reasoning and text are different events, and Ctrl-C is an AbortSignal.
import { load } from "gpt-oss";

const model = await load();
const stop = new AbortController();
process.once("SIGINT", () => stop.abort());

const stream = model.stream("What is the capital of France?", { signal: stop.signal });
for await (const event of stream) {
  if (event.type === "reasoning-delta") process.stderr.write(event.text);
  if (event.type === "text-delta") process.stdout.write(event.text);
}
process.stdout.write("\n");

const { usage } = await stream.answer();
console.log(`${usage.outputTokens} tokens, ${usage.reasoningTokens} of them for thinking`);

await model.close();
