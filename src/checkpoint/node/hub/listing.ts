// Which files a repository has at a revision, with sizes and hashes. Asks through @huggingface/hub, which knows the API;
// the requests themselves are ours, with their retries and errors.

import { GptOssError } from "../../../base/index.ts";
import type { HubName } from "../../names.ts";
import { quote } from "../../quote.ts";
import { type RetryOptions, retrying, Transient } from "./patience.ts";
import { badAnswer, type HubRequest, reasonOf, unreachable } from "./request.ts";

/** How the hub names a file's content; also the name of its blob in the cache. */
export type FileHash =
  | { readonly kind: "sha256"; readonly hex: string }
  /** Of small files, which are in git itself: SHA-1 of a header and the content. */
  | { readonly kind: "git"; readonly hex: string };

export interface HubFile {
  /** Inside the repository. */
  readonly path: string;
  readonly size: number;
  readonly hash: FileHash;
}

export interface Listing {
  readonly commit: string;
  readonly files: readonly HubFile[];
}

/** Published repositories have dozens of files. */
const mostFiles = 10_000;

export async function listRepository(
  request: HubRequest,
  { repository, revision = "main" }: HubName,
  options: RetryOptions,
): Promise<Listing> {
  const { listFiles, modelInfo } = await import("@huggingface/hub");
  const common = { hubUrl: request.endpoint, fetch: asFetch(request, options) };
  try {
    const { sha } = await modelInfo({ ...common, name: repository, revision, additionalFields: ["sha"] });
    if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha))
      throw badAnswer(`${repository}: the hub names no commit`);
    const files: HubFile[] = [];
    for await (const entry of listFiles({ ...common, repo: repository, revision: sha, recursive: true })) {
      if (entry?.type === "file") files.push(hubFile(repository, entry));
      if (files.length > mostFiles) throw badAnswer(`${repository}: lists more than ${mostFiles} files`);
    }
    return { commit: sha, files };
  } catch (error) {
    options.signal?.throwIfAborted();
    if (GptOssError.isInstance(error)) throw error;
    throw badAnswer(`${repository}: the hub's answer cannot be understood: ${quote(reasonOf(error))}`, error);
  }
}

/** The files of one page of a listing fit many times. */
const mostAnswerBytes = 32 * 2 ** 20;
const mostRequests = 200;

function asFetch(request: HubRequest, options: RetryOptions): typeof fetch {
  let requests = 0;
  return async (input) => {
    if (++requests > mostRequests) throw badAnswer("the hub's listing does not end");
    const { body, headers } = await retrying(() => answer(request, String(input), options), options);
    return new Response(body, { headers });
  };
}

/** A whole answer, so that what is cut is asked for again. */
async function answer(request: HubRequest, url: string, options: RetryOptions) {
  const { body, headers } = await fetchText(request, url, { ...options, mostBytes: mostAnswerBytes });
  const link = headers.get("link");
  return { body, headers: { "content-type": "application/json", ...(link !== null && { link }) } };
}

/** A small answer as text, in one try. */
export async function fetchText(
  request: HubRequest,
  url: string,
  { patience, signal, mostBytes }: RetryOptions & { readonly mostBytes: number },
): Promise<{ body: string; headers: Headers }> {
  const late = AbortSignal.timeout(patience.stallMs);
  const both = signal ? AbortSignal.any([signal, late]) : late;
  try {
    const response = await request(url, { signal: both });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body ?? []) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > mostBytes) throw badAnswer(`${url}: the answer has more than ${mostBytes} bytes`);
    }
    return { body: Buffer.concat(chunks).toString("utf8"), headers: response.headers };
  } catch (error) {
    signal?.throwIfAborted();
    if (GptOssError.isInstance(error) || error instanceof Transient) throw error;
    const reason = late.aborted ? `no answer within ${patience.stallMs / 1000} s` : reasonOf(error);
    throw new Transient(unreachable(`${url}: ${reason}`, error));
  }
}

interface ListedFile {
  readonly path: unknown;
  readonly size: unknown;
  readonly oid?: unknown;
  readonly lfs?: { readonly oid?: unknown; readonly size?: unknown } | undefined;
}

function hubFile(repository: string, { path, size, oid, lfs }: ListedFile): HubFile {
  const hash = lfs ? lfs.oid : oid;
  const bytes = lfs?.size ?? size;
  const isHash = typeof hash === "string" && (lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hash);
  const isSize = typeof bytes === "number" && Number.isSafeInteger(bytes) && bytes >= 0;
  if (!isHash || !isSize || typeof path !== "string" || !isInside(path))
    throw badAnswer(`${repository}: lists a file ${quote(String(path))} without a usable path, size or hash`);
  return { path, size: bytes, hash: { kind: lfs ? "sha256" : "git", hex: hash } };
}

/** The path becomes one in the cache: nothing may lead out of it. */
const isInside = (path: string): boolean =>
  path.length < 1000 &&
  !/[\\:\0]/.test(path) &&
  path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
