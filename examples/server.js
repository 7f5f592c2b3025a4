// An OpenAI-compatible server in a program, and somebody who asks it. `gpt-oss serve` does the same from a shell.
import { load } from "gpt-oss";
import { createMemoryStore } from "gpt-oss/server";
import { serve } from "gpt-oss/server/node";

const model = await load();
const { engine, tokenizer, info } = model;
const server = await serve({
  models: [
    {
      id: "embedded",
      created: 0,
      engine,
      tokenizer,
      stopTokens: info.config.stopTokens,
      defaults: info.defaults,
    },
  ],
  store: createMemoryStore(),
  port: 0, // any free one
});

const response = await fetch(`${server.url}/v1/chat/completions`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ model: "embedded", messages: [{ role: "user", content: "What is 47 + 85?" }] }),
});
const { choices } = await response.json();
console.log(choices[0].message.content);
console.log("because:", choices[0].message.reasoning);

await server.close();
await model.close();
