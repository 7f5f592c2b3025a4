// A whole server over a model that says what a test wants, and what tests need to talk to it.

import { tokensOf } from "../../agent/testing/scripted-model.ts";
import { type Script, type ScriptedEngine, scriptedEngine } from "../../engine/testing/scripted-engine.ts";
import { o200kHarmony, type TokenId } from "../../tokenizer/index.ts";
import { createMemoryStore, createServer, type Server, type ServerOptions } from "../index.ts";
import { asDescribed } from "./described.ts";

export interface ScriptedServer {
  readonly server: Server;
  readonly engine: ScriptedEngine;
  /** What the model was given, request by request. */
  prompts(): string[];
  /** Reading its whole body fails where it is not as the server describes itself. */
  fetch(request: Request): Promise<Response>;
}

export interface ScriptedServerOptions extends Partial<ServerOptions> {
  readonly contextLength?: number;
}

const tokenizer = o200kHarmony();

/** Tokens of a text in which `<|end|>` and the like are control tokens. */
export const tokens = (text: string): TokenId[] => tokensOf(text, tokenizer);

/** Each request to the engine gets the next of these. */
export function scriptedServer(
  scripts: readonly (string | Script)[],
  { contextLength, ...options }: ScriptedServerOptions = {},
): ScriptedServer {
  const engine = scriptedEngine(
    scripts.map((script) => (typeof script === "string" ? tokens(script) : script)),
    contextLength === undefined ? {} : { contextLength },
  );
  const server = createServer({
    models: [
      { id: "test", created: 1_700_000_000, engine, tokenizer, defaults: { currentDate: "2025-06-28" } },
    ],
    store: createMemoryStore(),
    ...options,
  });
  return {
    server,
    engine,
    prompts: () => engine.requests.map((request) => tokenizer.decode(request.tokens as TokenId[])),
    fetch: async (request) => asDescribed(request, await server.fetch(request)),
  };
}

export function post(path: string, body: unknown, init: RequestInit = {}): Request {
  return new Request(`http://localhost${path}`, {
    method: "POST",
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...init,
    headers: { "content-type": "application/json", ...(init.headers as Record<string, string>) },
  });
}

export const get = (path: string, headers: Record<string, string> = {}): Request =>
  new Request(`http://localhost${path}`, { headers });

/** The data of every frame, parsed but for `[DONE]`. */
export async function framesOf(response: Response): Promise<unknown[]> {
  return (await response.text())
    .split("\n\n")
    .flatMap((frame) => frame.split("\n").filter((line) => line.startsWith("data: ")))
    .map((line) => line.slice("data: ".length))
    .map((data) => (data === "[DONE]" ? data : (JSON.parse(data) as unknown)));
}

export const thinking = (text: string): string =>
  `<|channel|>analysis<|message|>${text}<|end|><|start|>assistant`;
export const final = (text: string): string => `<|channel|>final<|message|>${text}<|return|>`;
export const preamble = (text: string): string =>
  `<|channel|>commentary<|message|>${text}<|end|><|start|>assistant`;
export const calling = (name: string, args: string): string =>
  `<|channel|>commentary to=functions.${name} <|constrain|>json<|message|>${args}<|call|>`;
