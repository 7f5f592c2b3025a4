// How tests talk to the Responses API, and read what it says.

import { expect } from "vitest";
import { framesOf, get, post, type ScriptedServer } from "../../testing/scripted-server.ts";
import type { ResponseObject, StreamEvent } from "../wire.ts";

export const path = "/v1/responses";

/** Status 200, whole. */
export async function create(server: ScriptedServer, body: object): Promise<ResponseObject> {
  const response = await server.fetch(post(path, { model: "test", ...body }));
  const answer = (await response.json()) as ResponseObject;
  expect(response.status, JSON.stringify(answer)).toBe(200);
  return answer;
}

/** The events of a stream, which has to end in `[DONE]`. */
export async function stream(
  server: ScriptedServer,
  body: object,
  headers: Record<string, string> = {},
): Promise<StreamEvent[]> {
  return eventsOf(await server.fetch(post(path, { model: "test", stream: true, ...body }, { headers })));
}

export async function eventsOf(response: Response): Promise<StreamEvent[]> {
  expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
  const frames = await framesOf(response);
  expect(frames.pop()).toBe("[DONE]");
  return frames as StreamEvent[];
}

export async function read(
  server: ScriptedServer,
  place: string,
): Promise<{ status: number; body: unknown }> {
  const response = await server.fetch(get(`${path}${place}`));
  return { status: response.status, body: await response.json() };
}

export interface WireError {
  readonly status: number;
  readonly code: string;
  readonly param: string | null;
  readonly message: string;
}

export async function refused(server: ScriptedServer, body: object): Promise<WireError> {
  return errorOf(await server.fetch(post(path, { model: "test", ...body })));
}

export async function errorOf(response: Response): Promise<WireError> {
  const { error } = (await response.json()) as { error: Omit<WireError, "status"> };
  return { status: response.status, code: error.code, param: error.param, message: error.message };
}

/** Ids by their order of appearance, so that recordings of the same events are the same. */
export function withPlainIds(text: string): string {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  return text.replace(/\b(resp|rs|msg|fc|fco|call|cmp)_[0-9a-f]{32}/g, (id, prefix: string) => {
    const known = names.get(id);
    if (known !== undefined) return known;
    const count = (counts.get(prefix) ?? 0) + 1;
    counts.set(prefix, count);
    names.set(id, `${prefix}_${count}`);
    return `${prefix}_${count}`;
  });
}

/** Reads the beginning of a stream and gives the id of its response. */
export async function idOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const text = new TextDecoder().decode((await reader.read()).value);
  return /"id":"(resp_[0-9a-f]{32})"/.exec(text)![1];
}
