// A real server on loopback with the embedded model, on the fastest backend that is here: what `gpt-oss serve` runs.

import { afterAll, beforeAll } from "vitest";
import { type LoadedGptOss, load } from "../../src/library/node/index.ts";
import { createMemoryStore } from "../../src/server/index.ts";
import { type ServeOptions, serve } from "../../src/server/node/index.ts";

export const modelId = "gpt-oss-micro";

export interface TestServer {
  /** With `/v1`. */
  readonly baseURL: string;
  readonly model: LoadedGptOss;
}

/** Started before the tests of a file, gone after them. */
export function useServer(options: Partial<ServeOptions> = {}): TestServer {
  let baseURL = "";
  let model: LoadedGptOss;
  let close = async (): Promise<void> => {};
  beforeAll(async () => {
    model = await load();
    const { engine, tokenizer, info } = model;
    const served = { id: modelId, created: 0, engine, tokenizer, stopTokens: info.config.stopTokens };
    const server = await serve({
      models: [{ ...served, defaults: embeddedDefaults(model) }],
      store: createMemoryStore(),
      port: 0,
      ...options,
    });
    baseURL = `${server.url.replace(/\/$/, "")}/v1`;
    close = async () => {
      await server.close({ graceMs: 1000 });
      await model.close();
    };
  }, 60_000);
  afterAll(() => close(), 30_000);
  return {
    get baseURL() {
      return baseURL;
    },
    get model() {
      return model;
    },
  };
}

/** A date of `null` is no date; the embedded model has one. */
function embeddedDefaults({ info }: LoadedGptOss): { temperature: number; currentDate: string } {
  const { temperature = 0, currentDate } = info.defaults;
  return { temperature, currentDate: currentDate ?? "2025-06-28" };
}
