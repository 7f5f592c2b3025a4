// What commands read: text, JSON and token ids, from an argument, a file or stdin.

import { readFile } from "node:fs/promises";
import { badArgument } from "./report.ts";

/** The argument itself, or stdin when it is absent or `-`. */
export async function readText(argument: string | undefined): Promise<string> {
  return argument === undefined || argument === "-" ? readStdin() : argument;
}

/** The file's text, or stdin when it is absent or `-`. */
export async function readFileOrStdin(path: string | undefined): Promise<string> {
  if (path === undefined || path === "-") return readStdin();
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    const reason = { ENOENT: "it does not exist", EISDIR: "it is a folder" }[code] ?? message;
    throw badArgument(`cannot read ${path}: ${reason}`);
  }
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw badArgument(`${what} is not valid JSON: ${(error as Error).message}`);
  }
}

/**
 * Token ids: a JSON array written inline, the path of a file that holds one, or stdin. An object with a `tokens` array
 * is taken too, so that the output of `render --json` and `generate --json` can be piped on.
 */
export async function readTokenIds(argument: string | undefined): Promise<number[]> {
  const isInline = argument?.trimStart().startsWith("[") === true;
  const text = isInline ? argument : await readFileOrStdin(argument);
  const parsed = parseJson(text, isInline || argument === undefined ? "the list of token ids" : argument);
  const ids = Array.isArray(parsed) ? parsed : (parsed as { tokens?: unknown } | null)?.tokens;
  if (!Array.isArray(ids)) {
    throw badArgument("expected a JSON array of token ids", 'for example [13225, 2375], or {"tokens": […]}');
  }
  const bad = ids.findIndex((id) => !Number.isInteger(id) || id < 0);
  if (bad >= 0)
    throw badArgument(`token ids are whole numbers from 0; number ${bad + 1} is ${JSON.stringify(ids[bad])}`);
  return ids;
}

/** `askedFor` is the `--model` of the command, if it was given. */
export function checkInVocabulary(
  ids: readonly number[],
  vocabulary: { readonly size: number; readonly has?: (id: number) => boolean },
  askedFor: string | undefined,
): void {
  const bad = ids.find((id) => id >= vocabulary.size || vocabulary.has?.(id) === false);
  if (bad === undefined) return;
  throw badArgument(
    `there is no token ${bad} in this vocabulary${bad < vocabulary.size ? "" : ` of ${vocabulary.size}`}`,
    askedFor === undefined
      ? "ids of another model? give the commands that make ids and those that take them the same --model"
      : `ids that were made without --model ${askedFor} are of another vocabulary`,
  );
}
