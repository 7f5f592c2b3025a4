import { assert } from "../base/index.ts";
import type { ModelConfig } from "./config.ts";
import type { JsonFile } from "./json.ts";

/** Parses `config.json` in either spelling; every error is `checkpoint/bad-config` and names file, field and value. */
export function parseConfig(_config: JsonFile, _generationConfig?: JsonFile): ModelConfig {
  assert(false, "not written yet");
}
