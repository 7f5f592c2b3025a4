// API keys from a file: one `name: key` a line, with limits of its own behind it where it has any:
//
//   alice: sk-4f1c…
//   batch: sk-77ab… requests=60 tokens=100000

import { readFile } from "node:fs/promises";
import { GptOssError } from "../../base/index.ts";
import type { ApiKey } from "../keys.ts";

/** Empty lines and lines that begin with # are skipped. Errors: `server/bad-keys`, naming the line and never a key. */
export async function readApiKeys(path: string): Promise<ApiKey[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new GptOssError("server/bad-keys", {
      message: `the file of API keys ${path} cannot be read`,
      hint: "each of its lines is `name: key`",
      cause,
    });
  }
  const lines = text.split("\n").map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const keys = lines
    .filter(({ line }) => line !== "" && !line.startsWith("#"))
    .map(({ line, number }) => parseLine(line, `line ${number} of ${path}`));
  const names = keys.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw badKeys(`the name ${twice} stands twice in ${path}`);
  if (keys.length === 0) throw badKeys(`${path} holds no key`);
  return keys;
}

function parseLine(line: string, place: string): ApiKey {
  const match = /^([\w.-]+)\s*[:=]\s*(\S{8,})((?:\s+\w+=\d+)*)$/.exec(line);
  if (!match) throw badKeys(`${place} is not \`name: key\` with a key of at least 8 characters`);
  const [, name, key, rest] = match;
  const limits = Object.fromEntries(
    [...rest.matchAll(/(\w+)=(\d+)/g)].map(([, field, value]) => [field, Number(value)]),
  );
  const { requests, tokens, ...unknown } = limits;
  const [other] = Object.keys(unknown);
  if (other !== undefined) throw badKeys(`${place} has a limit ${other}; there are requests and tokens`);
  return {
    name,
    key,
    ...(requests !== undefined && { requestsPerMinute: requests }),
    ...(tokens !== undefined && { tokensPerMinute: tokens }),
  };
}

const badKeys = (message: string): GptOssError =>
  new GptOssError("server/bad-keys", {
    message,
    hint: "write `name: key requests=60 tokens=100000`; the limits may be left out",
  });
