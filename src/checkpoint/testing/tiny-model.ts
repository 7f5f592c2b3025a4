// A whole model of a few kilobytes, in memory, for tests that open it thousands of times.

import { GptOssError } from "../../base/index.ts";
import {
  bytesSource,
  checkpointFiles,
  type ModelConfig,
  type SafetensorsLayout,
  shapes,
  syntheticTensors,
} from "../index.ts";

export const tinyConfig: ModelConfig = {
  layers: 2,
  hiddenSize: 32,
  intermediateSize: 64,
  experts: 3,
  expertsPerToken: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 6,
  vocabularySize: 11,
  contextLength: 131072,
  slidingWindow: 4,
  slides: [true, false],
  rmsNormEpsilon: 1e-5,
  swigluLimit: 7,
  rope: shapes["gpt-oss-20b"].rope,
  stopTokens: [3, 5],
};

/** Every file of the tiny model, by name. */
export async function tinyFiles(
  layout: SafetensorsLayout,
  config = tinyConfig,
): Promise<Map<string, Uint8Array>> {
  const tensors = syntheticTensors(config, 1);
  const files = new Map<string, Uint8Array>();
  for (const file of checkpointFiles(config, (name) => tensors.get(name)!, { layout })) {
    const bytes = new Uint8Array(file.byteLength);
    let length = 0;
    for await (const chunk of file.chunks()) {
      bytes.set(chunk, length);
      length += chunk.length;
    }
    files.set(file.name, bytes);
  }
  return files;
}

export const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

export interface HeaderParts {
  json: Record<string, { dtype: unknown; shape: unknown; data_offsets: unknown }>;
  data: Uint8Array;
}

/** Takes a safetensors file apart, so that a test can damage it. */
export function takeApart(file: Uint8Array): HeaderParts {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  return { json: JSON.parse(text(file.subarray(8, 8 + length))), data: file.slice(8 + length) };
}

export function putTogether(header: string | object, data: Uint8Array): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

export const source = (bytes: Uint8Array, name = "model.safetensors") => bytesSource(name, bytes);

/** The GptOssError that `work` throws; any other outcome fails the test. */
export async function errorOf(work: () => unknown): Promise<GptOssError> {
  try {
    await work();
  } catch (error) {
    if (GptOssError.isInstance(error)) return error;
    throw error;
  }
  throw new Error("expected an error");
}
