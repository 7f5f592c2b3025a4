// What `gpt-oss serve` says: what runs and where, one line a request, and what somebody should know about who can call.

import { basename } from "node:path";
import { parseModelName } from "../checkpoint/index.ts";
import { hubNameOf } from "../checkpoint/node/index.ts";
import type { ModelInfo } from "../library/node/index.ts";
import type { ApiKey, LogEntry } from "../server/index.ts";
import { isLoopback, type Listening } from "../server/node/index.ts";
import { formatBytes, printNote } from "./terminal.ts";

export type LogStyle = "text" | "json" | "none";

/** Requests on stderr, so that stdout stays what a person or script asked for. Nothing of what was said. */
export function logger(style: LogStyle): (entry: LogEntry) => void {
  if (style === "none") return () => {};
  if (style === "json") {
    return (entry) =>
      void process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
  }
  return (entry) => {
    const { event, level, requestId, method, route, status, seconds, key, aborted, error, ...rest } = entry;
    const time = new Date().toISOString().slice(11, 19);
    const said = event === "request" ? `${method} ${route} ${status} ${seconds} s` : event;
    const who = [requestId, key, aborted === true ? "aborted" : undefined].filter(Boolean).join(" ");
    const more = Object.keys(rest).length === 0 ? "" : ` ${JSON.stringify(rest)}`;
    const mark = level === "info" ? "" : `${level}: `;
    printNote(`${time} ${mark}${said} ${who}${more}${error === undefined ? "" : `\n${error}`}`);
  };
}

export interface ServedNames {
  readonly id: string;
  readonly aliases: readonly string[];
}

/** The name by which clients ask for a model, and others that mean the same one. */
export function servedNames(model = "embedded"): ServedNames {
  const name = parseModelName(model);
  const repository = repositoryOf(model);
  if (repository !== undefined) {
    const short = repository.slice(repository.indexOf("/") + 1);
    return { id: short, aliases: [repository, model, short.replace(/-(\d+b)$/, ":$1")] };
  }
  if (name?.kind === "path") return { id: basename(model).replace(/\.gguf$/, ""), aliases: [] };
  if (name?.kind === "ollama") return { id: `${name.model}:${name.tag}`, aliases: [model] };
  return { id: model, aliases: [] };
}

function repositoryOf(model: string): string | undefined {
  try {
    return hubNameOf(model).repository;
  } catch {
    return undefined; // a name that means something else
  }
}

/** A database's URL may hold a password, and what is printed ends in logs. */
function withoutPassword(store: string): string {
  if (!URL.canParse(store)) return store;
  const { protocol, host, pathname } = new URL(store);
  return host === "" ? store : `${protocol}//${host}${pathname}`;
}

export interface Announcement {
  readonly listening: Pick<Listening, "url" | "host">;
  readonly info: ModelInfo;
  readonly id: string;
  readonly store: string;
  readonly keys: readonly ApiKey[];
}

export function announceServer({ listening, info, id, store, keys }: Announcement): string[] {
  const { plan, config, backend } = info;
  const { url, host } = listening;
  const count = (tokens: number): string => tokens.toLocaleString("en");
  const context =
    plan.contextLength < config.contextLength
      ? `${count(plan.contextLength)} of ${count(config.contextLength)} tokens`
      : `${count(plan.contextLength)} tokens`;
  const body = JSON.stringify({ model: id, messages: [{ role: "user", content: "What is 47 + 85?" }] });
  const who =
    keys.length === 0
      ? "none: whoever reaches this address may call"
      : `${keys.length}: ${keys.map(({ name }) => name).join(", ")}`;
  return [
    `gpt-oss serves ${id} at ${url}/v1`,
    "",
    `  model     ${info.isEmbedded ? "the embedded one, which knows very little" : info.path}`,
    `  context   ${context}, cache ${formatBytes(plan.cacheBytes)} for up to ${plan.maxSequences} answers at once`,
    `  backend   ${backend.name}: ${backend.description}`,
    `            because ${backend.why}`,
    `  store     ${withoutPassword(store)}`,
    `  keys      ${who}`,
    `  try       curl ${url}/v1/chat/completions -H 'content-type: application/json'${keys.length > 0 ? " -H 'authorization: Bearer KEY'" : ""} -d '${body}'`,
    "",
    ...(isLoopback(host) || keys.length > 0
      ? []
      : [
          `warning: ${host} can be reached from other machines, and no key is asked for: everybody there may call.`,
          "  --api-keys FILE asks for keys; without --host, only this machine can call.",
          "",
        ]),
  ];
}
