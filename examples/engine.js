// The floors below load(): files, backend, transformer, engine. Token ids in, token ids out.
import { createReferenceBackend } from "gpt-oss/backend/reference";
import { openCheckpoint } from "gpt-oss/checkpoint/node";
import { createEngine } from "gpt-oss/engine";
import { renderForCompletion, stopTokens } from "gpt-oss/harmony";
import { loadModel } from "gpt-oss/model";
import { tokenizerFromJson } from "gpt-oss/tokenizer";

const folder = process.argv[2] ?? "models/micro";
const checkpoint = await openCheckpoint(folder);
const tokenizer = tokenizerFromJson(checkpoint.tokenizerJson);
const backend = createReferenceBackend();
const model = await loadModel(checkpoint, backend);
const engine = createEngine(model, { cacheTokens: 4096 });

const tokens = renderForCompletion(
  [
    { role: "system", content: { reasoningEffort: "medium", conversationStartDate: "2025-06-28" } },
    { role: "user", content: "What is 47 + 85?" },
  ],
  tokenizer,
);
const request = { tokens, stopTokens: stopTokens(tokenizer), sampling: { temperature: 0 } };
for await (const event of engine.generate(request)) {
  if (event.type === "token") process.stdout.write(tokenizer.decode([event.token]));
  else console.log(`\n${event.reason}`, event.usage);
}

await engine.close();
await backend.close();
await checkpoint.close();
