// What a request gives when nothing else is there: the plainest loop around the model, as the oracle for the engine.

import { batchOf, cachePlan, type Model } from "../../model/index.ts";
import type { GenerateRequest } from "../engine.ts";
import type { GrammarCompiler } from "../grammar/compile.ts";
import { parseRequest } from "../request.ts";
import { createScratch } from "../sampler/row.ts";

/** Prompt at once, then token by token, in a cache of its own. */
export async function generateAlone(
  model: Model,
  request: GenerateRequest,
  grammars?: GrammarCompiler,
): Promise<number[]> {
  const { vocabularySize, contextLength } = model.config;
  const job = parseRequest(request, { vocabularySize, contextLength, grammars });
  const size = { contextTokens: contextLength, sequences: 1, chunkTokens: contextLength };
  const cache = model.createCache(cachePlan(model.config, size));
  const sequence = cache.open();
  const scratch = createScratch(vocabularySize);
  const output: number[] = [];
  let pending: readonly number[] = job.prompt;
  while (output.length < job.maxTokens) {
    const batch = batchOf([sequence.append(Int32Array.from(pending))]);
    const tensor = model.forward({ batch, cache: cache.kv, rows: Int32Array.of(pending.length - 1) });
    const logits = await model.backend.read(tensor);
    model.backend.free(tensor);
    sequence.commit();
    const { token } = job.sample(logits, scratch);
    output.push(token);
    if (job.stopTokens.has(token)) break;
    pending = [token];
  }
  cache.close();
  return output;
}
