// `gpt-oss serve`: from options to a server that listens, and to its end.

import { scryptSync } from "node:crypto";
import { stat } from "node:fs/promises";
import { Command, Option } from "commander";
import { embeddedContextTokens } from "../../library/node/index.ts";
import type { ApiKey, Limits, RateLimit, ResponsesOptions, ServedModel } from "../../server/index.ts";
import {
  defaultPort,
  defaultStoreFolder,
  type Listening,
  loopbackHost,
  openStore,
  readApiKeys,
  serve,
} from "../../server/node/index.ts";
import { loadCli } from "../model.ts";
import { addModelOptions, count, type ModelOptions, wholeNumber } from "../options.ts";
import { offerToPull } from "../pull.ts";
import { badArgument } from "../report.ts";
import { announceServer, type LogStyle, logger, type ServedNames, servedNames } from "../serve.ts";
import { interruptible, printLine, printNote } from "../terminal.ts";

interface Options extends ModelOptions {
  readonly port: number;
  readonly host: string;
  readonly name?: string;
  readonly anyModelName?: true;
  readonly maxSequences: number;
  readonly maxWaiting: number;
  readonly apiKey?: readonly string[];
  readonly apiKeys?: string;
  readonly requestsPerMinute?: number;
  readonly tokensPerMinute?: number;
  readonly maxSeconds?: number;
  readonly allowHost?: readonly string[];
  readonly origin?: readonly string[];
  readonly store: string;
  readonly storeDays?: number;
  readonly reasoningEvents?: NonNullable<ResponsesOptions["reasoningEvents"]>;
  readonly reasoningSummary?: NonNullable<ResponsesOptions["reasoningSummary"]>;
  readonly log: LogStyle;
  readonly grace: number;
}

const several = (value: string, before: readonly string[] = []): string[] => [...before, value];

export const serveCommand = (): Command =>
  addModelOptions(
    new Command("serve")
      .summary("an OpenAI-compatible server: Responses, Chat Completions, WebSocket")
      .description(
        "Serves a model over HTTP to clients that speak OpenAI's APIs: POST /v1/responses and /v1/chat/completions.\n" +
          "Only this machine can call, unless --host says otherwise. Ctrl-C finishes what runs and ends.\n" +
          "docs/server.md has every endpoint and limit.",
      ),
  )
    .option("-p, --port <n>", "listen here; 0 takes any free port", wholeNumber, defaultPort)
    .option("--host <address>", "listen here; 0.0.0.0 is every network of this machine", loopbackHost)
    .option("--name <id>", "the model's name for clients (default: from --model, such as gpt-oss-20b)")
    .option("--any-model-name", "answer whatever model a client asks for")
    .option("--max-sequences <n>", "answers that are computed at once", count, 16)
    .option(
      "--max-waiting <n>",
      "answers that may wait beside them; one more is refused with 429",
      wholeNumber,
      256,
    )
    .option(
      "--api-key <key>",
      "ask for this key (repeatable; also: GPT_OSS_API_KEY, commas between)",
      several,
    )
    .option("--api-keys <file>", "ask for one of these keys: lines `name: key requests=60 tokens=100000`")
    .option("--requests-per-minute <n>", "for each key without a limit of its own", count)
    .option("--tokens-per-minute <n>", "the same, for tokens of prompts and answers together", count)
    .option("--max-seconds <n>", "end answers that take longer (default: 3600)", count)
    .option("--allow-host <name>", "answer under this name, such as a proxy's, too (repeatable)", several)
    .option(
      "--origin <origin>",
      "web pages from there may call; * for all (repeatable; default: local ones)",
      several,
    )
    .addOption(
      new Option("--store <place>", "responses are kept here: a folder, a postgres:// URL, or memory")
        .env("GPT_OSS_STORE")
        .default(defaultStoreFolder()),
    )
    .option("--store-days <n>", "and for so long (default: 30)", count)
    .addOption(
      new Option("--reasoning-events <kind>", "how streams of /v1/responses name reasoning").choices([
        "reasoning_text",
        "reasoning",
        "none",
      ]),
    )
    .addOption(
      new Option("--reasoning-summary <when>", "/v1/responses sends reasoning as its summary too")
        .choices(["asked", "always", "none"])
        .default("asked"),
    )
    .addOption(
      new Option("--log <style>", "requests on stderr, never what was said")
        .choices(["text", "json", "none"])
        .default("text"),
    )
    .option("--grace <seconds>", "time to finish what runs, once stopped", wholeNumber, 30)
    .action(async (options: Options) => {
      const keys = await keysOf(options);
      await offerToPull(options.model);
      await interruptible((signal) => run(options, keys, signal));
    });

async function run(options: Options, keys: readonly ApiKey[], signal: AbortSignal): Promise<void> {
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const store = await openStore(options.store, storeLimits(options));
    ends.unshift(() => store.close());
    const names = options.name === undefined ? servedNames(options.model) : { id: options.name, aliases: [] };
    const leaving = new AbortController();
    const model = loadServed(options, names, AbortSignal.any([signal, leaving.signal]));
    ends.unshift(async () => {
      leaving.abort();
      await model.then(({ close }) => close(), ignored);
    });
    const models = model.then(({ served }) => [served]);
    models.catch(ignored);
    // Listens at once, so that a port that is taken is known now, and monitors see that the model is loading.
    const listening = await listenOn(options, {
      models,
      store,
      keys,
    });
    ends.unshift(() => listening.close({ graceMs: options.grace * 1000 }));
    const { info, served } = await model;
    const lines = announceServer({ listening, info, id: served.id, store: options.store, keys });
    for (const line of lines) printLine(line);
    await aborted(signal);
    printNote(`stopping: what runs may take ${options.grace} s to end (Ctrl-C again: at once)`);
  } finally {
    for (const end of ends) await end();
  }
}

/** A model that did not load is reported once, by whoever waits for it. */
const ignored = (): void => {};

async function loadServed(options: Options, names: ServedNames, signal: AbortSignal) {
  const { maxSequences, maxWaiting } = options;
  const { engine, tokenizer, info, close } = await loadCli(withContext(options), signal, {
    engine: { maxSequences, maxWaiting },
  });
  const { mtimeMs } = await stat(info.path);
  const { temperature, currentDate } = info.defaults;
  const served: ServedModel = {
    ...names,
    created: Math.floor(mtimeMs / 1000),
    engine,
    tokenizer,
    stopTokens: info.config.stopTokens,
    defaults: {
      ...(temperature !== undefined && { temperature }),
      ...(typeof currentDate === "string" && { currentDate }),
    },
  };
  return { served, info, close };
}

/** All that run share the context; the embedded model's, which is made for one conversation, would be short. */
function withContext(options: Options): Options {
  const isEmbedded = options.model === undefined || options.model === "embedded";
  return options.context === undefined && isEmbedded
    ? { ...options, context: 8 * embeddedContextTokens }
    : options;
}

type Parts = Pick<Parameters<typeof serve>[0], "models" | "store" | "keys">;

async function listenOn(options: Options, parts: Parts): Promise<Listening> {
  const { host, port, maxSequences, maxWaiting, maxSeconds, allowHost, origin } = options;
  const { reasoningEvents, reasoningSummary } = options;
  const secret = process.env.GPT_OSS_SECRET;
  const limits: Partial<Limits> = {
    requests: maxSequences + maxWaiting,
    ...(maxSeconds !== undefined && { requestMs: maxSeconds * 1000 }),
  };
  try {
    return await serve({
      ...parts,
      host,
      port,
      limits,
      rateLimit: rateLimitOf(options),
      anyModelName: options.anyModelName === true,
      log: logger(options.log),
      ...(allowHost && { hosts: allowHost }),
      ...(origin && { origins: origin.includes("*") ? "*" : origin }),
      responses: {
        ...(reasoningEvents && { reasoningEvents }),
        ...(reasoningSummary && { reasoningSummary }),
        ...(secret && { secret }),
      },
    });
  } catch (error) {
    throw listenError(error, host, port);
  }
}

function listenError(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "EADDRINUSE")
    return badArgument(`port ${port} of ${host} is taken`, "--port 0 takes any free one");
  if (code === "EACCES")
    return badArgument(`port ${port} may not be used here`, "ports below 1024 need rights");
  if (code === "EADDRNOTAVAIL" || code === "ENOTFOUND")
    return badArgument(`${host} is no address of this machine`, "--host 0.0.0.0 is all of them");
  return error;
}

function rateLimitOf({ requestsPerMinute, tokensPerMinute }: Options): RateLimit {
  return {
    ...(requestsPerMinute !== undefined && { requestsPerMinute }),
    ...(tokensPerMinute !== undefined && { tokensPerMinute }),
  };
}

const dayMs = 86_400_000;

const storeLimits = ({ storeDays }: Options) =>
  storeDays === undefined ? {} : { limits: { maxAgeMs: storeDays * dayMs } };

const shortestKey = 8;

async function keysOf({ apiKey = [], apiKeys }: Options): Promise<ApiKey[]> {
  const fromEnvironment = (process.env.GPT_OSS_API_KEY ?? "").split(",").map((key) => key.trim());
  const plain = [...new Set([...apiKey, ...fromEnvironment.filter((key) => key !== "")])];
  if (plain.some((key) => key.length < shortestKey || /\s/.test(key)))
    throw badArgument(`an API key has at least ${shortestKey} characters and no spaces`);
  const named = plain.map((key) => ({ name: nameOf(key), key }));
  return [...named, ...(apiKeys === undefined ? [] : await readApiKeys(apiKeys))];
}

/**
 * Stored responses belong to a key's name, so that a key without one has the same at every start, whatever stands beside
 * it. Slow to compute, so that the name in a log does not help to guess the key.
 */
const nameOf = (key: string): string => `key-${scryptSync(key, "gpt-oss name of a key", 4).toString("hex")}`;

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
