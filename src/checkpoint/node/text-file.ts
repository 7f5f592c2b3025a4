import { GptOssError } from "../../base/index.ts";
import type { ByteSource } from "../byte-source.ts";
import type { JsonFile } from "../json.ts";
import { openFile } from "./file-source.ts";

/** The index of gpt-oss-120b has 70 KB; this keeps a hostile file from filling the memory. */
const maxJsonBytes = 4 * 2 ** 20;
/** o200k_harmony's own has 28 MB. */
export const maxTokenizerBytes = 256 * 2 ** 20;

/** The text of a file, or undefined when there is none. */
export async function readText(path: string, maxBytes = maxJsonBytes): Promise<JsonFile | undefined> {
  let source: ByteSource;
  try {
    source = await openFile(path);
  } catch (error) {
    if (GptOssError.isInstance(error) && error.code === "checkpoint/not-found") return undefined;
    throw error;
  }
  try {
    if (source.size > maxBytes)
      throw new GptOssError("checkpoint/io", {
        message: `${path}: has ${source.size} bytes; expected at most ${maxBytes}`,
        hint: "this is not the file that its name says",
      });
    return { name: path, text: decode(path, await source.read(0, source.size)) };
  } finally {
    await source.close();
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new GptOssError("checkpoint/io", {
      message: `${path}: is not UTF-8 text`,
      hint: "the file is damaged; fetch it again",
      cause,
    });
  }
}
