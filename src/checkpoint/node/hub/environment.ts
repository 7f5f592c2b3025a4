// Where Hugging Face's tools keep and fetch models, as their environment variables say: the same ones as in Python's
// huggingface_hub, so that both share one cache. https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables

import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export type Variables = Readonly<Record<string, string | undefined>>;

export interface HubEnvironment {
  /** Without a slash at its end. */
  readonly endpoint: string;
  /** The folder with a folder for each repository. */
  readonly cache: string;
  readonly isOffline: boolean;
  /** Where a token may lie that no variable gives. */
  readonly tokenFile: string;
  readonly token: string | undefined;
  /** How long a server may send nothing. */
  readonly stallMs: number;
}

/** Python's own default, 10 s, gives up on slow mirrors. */
const defaultStallMs = 30_000;

export function hubEnvironment(variables: Variables = process.env): HubEnvironment {
  const value = (...names: readonly string[]): string | undefined =>
    names.map((name) => variables[name]).find((text) => text !== undefined && text !== "");
  const home = expandHome(
    value("HF_HOME") ?? join(value("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface"),
  );
  const stallSeconds = Number(value("HF_HUB_DOWNLOAD_TIMEOUT"));
  return {
    endpoint: (value("HF_ENDPOINT") ?? "https://huggingface.co").replace(/\/+$/, ""),
    cache: resolve(expandHome(value("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub"))),
    isOffline: isTrue(value("HF_HUB_OFFLINE")) || isTrue(value("TRANSFORMERS_OFFLINE")),
    tokenFile: resolve(expandHome(value("HF_TOKEN_PATH") ?? join(home, "token"))),
    token: value("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")?.trim(),
    stallMs: stallSeconds > 0 ? stallSeconds * 1000 : defaultStallMs,
  };
}

/** The token of a variable, else that of `hf auth login`. */
export async function readToken({ token, tokenFile }: HubEnvironment): Promise<string | undefined> {
  if (token !== undefined) return token;
  try {
    return (await readFile(tokenFile, "utf8")).trim() || undefined;
  } catch {
    return undefined; // published models need none; who needs one is told so by the hub's answer
  }
}

const isTrue = (text: string | undefined): boolean => /^(1|on|yes|true)$/i.test(text ?? "");

export const expandHome = (path: string): string =>
  path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
