// A hub on this machine for tests: the API of Hugging Face's, with large files on a second server (as its content
// network is), and faults that are used up one by one.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export type Fault =
  | { readonly kind: "status"; readonly status: number; readonly headers?: Record<string, string> }
  /** The connection ends after so many bytes of the body. */
  | { readonly kind: "cut"; readonly after: number }
  /** After so many bytes nothing comes any more. */
  | { readonly kind: "stall"; readonly after: number }
  /** Says a length that is not the file's, and sends that much. */
  | { readonly kind: "length"; readonly bytes: number }
  /** Says no length, and sends this much more than the file has. */
  | { readonly kind: "more"; readonly bytes: number }
  /** Right length, one byte changed. */
  | { readonly kind: "spoil" }
  /** Answers a request for a range with the whole. */
  | { readonly kind: "no-range" }
  | { readonly kind: "wrong-range" }
  | { readonly kind: "redirect"; readonly to: string }
  | { readonly kind: "text"; readonly text: string };

export interface SeenRequest {
  readonly server: "hub" | "content";
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface LocalHub {
  readonly endpoint: string;
  readonly commit: string;
  readonly seen: readonly SeenRequest[];
  /** The next requests whose path ends so meet these, one each. */
  fail(path: string, faults: readonly Fault[]): void;
  failAlways(path: string, fault: Fault): void;
  /** Only with this token. */
  token: string | undefined;
  close(): Promise<void>;
}

export interface LocalHubOptions {
  readonly repository?: string;
  /** Files from this size on are large: hashed by SHA-256 and on the other server. */
  readonly largeBytes?: number;
  /** Files in one page of a listing. */
  readonly pageFiles?: number;
  /** Between two pieces of 16 KB of a large file. */
  readonly pauseMs?: number;
}

/** What a folder holds, for a hub to serve: under the same names, or inside another folder. */
export const filesIn = (folder: string, inside = ""): Map<string, Uint8Array> =>
  new Map(readdirSync(folder).map((file) => [`${inside}${file}`, readFileSync(join(folder, file))]));

export async function startLocalHub(
  files: ReadonlyMap<string, Uint8Array>,
  options: LocalHubOptions = {},
): Promise<LocalHub> {
  const { repository = "openai/gpt-oss-20b", largeBytes = 10_000, pageFiles = 3, pauseMs = 0 } = options;
  const commit = createHash("sha1").update(repository).digest("hex");
  const seen: SeenRequest[] = [];
  const once = new Map<string, Fault[]>();
  const always = new Map<string, Fault>();
  let contentAddress = "";
  const hub: LocalHub & { endpoint: string } = {
    endpoint: "",
    commit,
    seen,
    token: undefined,
    fail: (path, faults) => void once.set(path, [...faults]),
    failAlways: (path, fault) => void always.set(path, fault),
    close: async () => {
      for (const server of [hubServer, contentServer]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
  const faultOf = (path: string): Fault | undefined => {
    for (const [end, fault] of always) if (path.endsWith(end)) return fault;
    for (const [end, faults] of once) if (path.endsWith(end) && faults.length > 0) return faults.shift();
    return undefined;
  };
  const note = (server: SeenRequest["server"], request: IncomingMessage, path: string): void => {
    const { range, authorization } = request.headers;
    seen.push({ server, path, range, authorization });
  };

  const hubServer = createServer((request, response) => {
    const url = new URL(request.url ?? "/", hub.endpoint);
    const path = decodeURIComponent(url.pathname);
    note("hub", request, path);
    if (hub.token !== undefined && request.headers.authorization !== `Bearer ${hub.token}`)
      return refuse(response, 401, "Invalid username or password.");
    // What the hub itself answers about a file; faults of large files belong to the server that has their bytes.
    const isLarge = (files.get(path.split(`/resolve/${commit}/`)[1] ?? "")?.length ?? 0) >= largeBytes;
    const fault = isLarge ? undefined : faultOf(path);
    if (fault?.kind === "status") return refuse(response, fault.status, "as the test asks", fault.headers);
    if (fault?.kind === "redirect") return void response.writeHead(307, { location: fault.to }).end();
    if (fault?.kind === "text") return void response.end(fault.text);
    if (path === `/api/models/${repository}/revision/main`)
      return sendJson(response, { _id: "1", id: repository, sha: commit, siblings: [] });
    if (path === `/api/models/${repository}/tree/${commit}`) return sendPage(response, url);
    const [, name] = path.split(`/${repository}/resolve/${commit}/`);
    const bytes = files.get(name ?? "");
    if (!bytes) return refuse(response, 404, "Repository not found");
    if (!isLarge) return void sendBytes(request, response, { bytes, fault, pauseMs: 0 });
    const location = `${contentAddress}/${name}?X-Signature=for-${name.length}`;
    response.writeHead(302, { location, "x-linked-size": String(bytes.length) }).end();
  });

  const contentServer = createServer((request, response) => {
    const url = new URL(request.url ?? "/", contentAddress);
    const path = decodeURIComponent(url.pathname.slice(1));
    note("content", request, path);
    const bytes = files.get(path);
    if (!bytes || url.searchParams.get("X-Signature") !== `for-${path.length}`)
      return refuse(response, 403, "signature");
    const fault = faultOf(path);
    if (fault?.kind === "status") return refuse(response, fault.status, "as the test asks", fault.headers);
    void sendBytes(request, response, { bytes, fault, pauseMs });
  });

  const sendPage = (response: ServerResponse, url: URL): void => {
    const first = Number(url.searchParams.get("cursor") ?? 0);
    const all = [...files].map(([path, bytes]) => entry(path, bytes, largeBytes));
    if (first + pageFiles < all.length) {
      url.searchParams.set("cursor", String(first + pageFiles));
      response.setHeader("link", `<${url}>; rel="next"`);
    }
    sendJson(response, [
      { type: "directory", path: "original", oid: commit, size: 0 },
      ...all.slice(first, first + pageFiles),
    ]);
  };

  contentAddress = await listen(contentServer);
  hub.endpoint = await listen(hubServer);
  return hub;
}

/** Hashing takes longer than all else here, and tests share their files. */
const hashes = new WeakMap<Uint8Array, { readonly sha1: string; readonly sha256: string }>();

function hashesOf(bytes: Uint8Array) {
  const sha1 = (): string => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  const sha256 = (): string => createHash("sha256").update(bytes).digest("hex");
  const found = hashes.get(bytes) ?? { sha1: sha1(), sha256: sha256() };
  hashes.set(bytes, found);
  return found;
}

function entry(path: string, bytes: Uint8Array, largeBytes: number): object {
  const { sha1: oid, sha256 } = hashesOf(bytes);
  if (bytes.length < largeBytes) return { type: "file", path, size: bytes.length, oid };
  const lfs = { oid: sha256, size: bytes.length, pointerSize: 134 };
  return { type: "file", path, size: bytes.length, oid, lfs, xetHash: "0".repeat(64) };
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function refuse(
  response: ServerResponse,
  status: number,
  error: string,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { "content-type": "application/json", ...headers })
    .end(JSON.stringify({ error }));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(value));
}

interface Sending {
  readonly bytes: Uint8Array;
  readonly fault: Fault | undefined;
  readonly pauseMs: number;
}

async function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, fault, pauseMs }: Sending,
) {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const from = range && fault?.kind !== "no-range" ? Number(range[1]) : 0;
  if (from >= bytes.length && from > 0) return refuse(response, 416, "no such range");
  let body = bytes.subarray(from);
  if (fault?.kind === "spoil") {
    body = new Uint8Array(body);
    body[body.length >> 1] ^= 1;
  }
  if (fault?.kind === "length") body = resized(body, fault.bytes);
  if (fault?.kind === "more") body = resized(body, body.length + fault.bytes);
  const first = fault?.kind === "wrong-range" ? from + 1 : from;
  response.writeHead(from > 0 ? 206 : 200, {
    ...(fault?.kind !== "more" && { "content-length": String(body.length) }),
    ...(from > 0 && { "content-range": `bytes ${first}-${bytes.length - 1}/${bytes.length}` }),
  });
  const until = fault?.kind === "cut" || fault?.kind === "stall" ? fault.after : body.length;
  for (let at = 0; at < until; at += 16_384) {
    response.write(body.subarray(at, Math.min(at + 16_384, until)));
    if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  if (fault?.kind === "stall") return;
  // Lets what was written arrive before the cut.
  if (fault?.kind === "cut") setTimeout(() => response.socket?.destroy(), 20);
  else response.end();
}

function resized(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}
