import { dirname, join } from "node:path";
import { GptOssError } from "../../base/index.ts";
import type { ModelConfig } from "../config.ts";
import { parseConfig } from "../parse-config.ts";
import { shapeNames, shapes } from "../shapes.ts";
import { maxTokenizerBytes, readText } from "./text-file.ts";

export interface Shape {
  readonly config: ModelConfig;
  /** Undefined for the published shapes: their tokenizer is built in. */
  readonly tokenizerJson: string | undefined;
}

/**
 * The shape of a published model by its name, or that of a `config.json`, with the generation_config.json and
 * tokenizer.json that lie beside it.
 */
export async function readShape(nameOrPath: string): Promise<Shape> {
  const named = (name: string): Shape | undefined => {
    const found = shapeNames.find((shape) => shape === name);
    return found && { config: shapes[found], tokenizerJson: undefined };
  };
  const published = named(nameOrPath);
  if (published) return published;
  const path = nameOrPath.endsWith(".json") ? nameOrPath : join(nameOrPath, "config.json");
  const config = await readText(path);
  if (!config) {
    const short = named(`gpt-oss-${nameOrPath}`); // `20b`, where no folder is called so
    if (short) return short;
    throw new GptOssError("checkpoint/not-found", {
      message: `${nameOrPath}: neither the name of a shape nor a config.json`,
      hint: `the named shapes are ${shapeNames.join(" and ")}`,
    });
  }
  const generationConfig = await readText(join(dirname(path), "generation_config.json"));
  const tokenizer = await readText(join(dirname(path), "tokenizer.json"), maxTokenizerBytes);
  return { config: parseConfig(config, generationConfig), tokenizerJson: tokenizer?.text };
}
