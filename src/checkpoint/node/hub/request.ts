// Requests to a hub: redirects followed by hand, so that the token goes to the hub and to no other host; and every bad
// answer as an error with a code. Knows HTTP; not files, nor what a repository is.

import { type ErrorCode, GptOssError } from "../../../base/index.ts";
import { quote } from "../../quote.ts";
import { Transient } from "./patience.ts";

export interface HubRequest {
  readonly endpoint: string;
  /**
   * The answer to a GET, 2xx or 416. Throws `Transient` for what may pass, else `checkpoint/hub-…`. Aborting `signal`
   * also ends the reading of the body.
   */
  (url: string, options: RequestOptions): Promise<Response>;
}

export interface RequestOptions {
  readonly signal: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
}

const mostRedirects = 10;

export function createHubRequest(endpoint: string, token: string | undefined): HubRequest {
  const home = originOf(endpoint);
  const request = async (url: string, { signal, headers }: RequestOptions): Promise<Response> => {
    let at = new URL(url, endpoint);
    for (let hops = 0; hops <= mostRedirects; hops++) {
      const own = at.origin === home && token !== undefined ? { authorization: `Bearer ${token}` } : {};
      const response = await fetchOnce(at, { headers: { ...headers, ...own }, redirect: "manual", signal });
      const location = response.headers.get("location");
      if (response.status < 300 || response.status >= 400 || location === null) {
        if (response.ok || response.status === 416) return response;
        throw await refusal(response, { url: at, isAuthorized: token !== undefined });
      }
      await response.body?.cancel();
      at = redirected(location, at);
    }
    throw badAnswer(`${shown(at)}: more than ${mostRedirects} redirects`);
  };
  return Object.assign(request, { endpoint });
}

function originOf(endpoint: string): string {
  try {
    const { protocol, origin } = new URL(endpoint);
    if (protocol === "http:" || protocol === "https:") return origin;
  } catch {
    // said below
  }
  throw new GptOssError("checkpoint/hub-unreachable", {
    message: `HF_ENDPOINT is ${quote(endpoint)}; expected the address of a hub`,
    hint: "unset HF_ENDPOINT, or set it to an address that begins with https://",
  });
}

function redirected(location: string, from: URL): URL {
  try {
    const url = new URL(location, from);
    if (url.protocol === "http:" || url.protocol === "https:") return url;
  } catch {
    // said below
  }
  throw badAnswer(`${shown(from)}: redirects to ${quote(location)}`);
}

async function fetchOnce(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    if (init.signal?.aborted) throw init.signal.reason;
    throw new Transient(unreachable(`${shown(url)}: ${reasonOf(cause)}`, cause));
  }
}

/** `fetch` hides what happened in the cause. */
export function reasonOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const text = inner instanceof Error ? inner.message || inner.name : String(inner);
  return text === "terminated" || text === "other side closed" ? "the connection was cut" : text;
}

export function unreachable(message: string, cause?: unknown): GptOssError {
  return new GptOssError("checkpoint/hub-unreachable", {
    message,
    hint: "check the connection and HF_ENDPOINT, then pull again: what is here is kept",
    cause,
  });
}

export function badAnswer(message: string, cause?: unknown): GptOssError {
  return new GptOssError("checkpoint/hub-bad-answer", {
    message,
    hint: "is HF_ENDPOINT a hub, and is no proxy in between? Try again later",
    cause,
  });
}

/** Without the query: it may hold a signature. */
export const shown = (url: URL | string): string => String(url).replace(/[?#].*$/, "");

interface Refused {
  readonly url: URL;
  readonly isAuthorized: boolean;
}

async function refusal(response: Response, { url, isAuthorized }: Refused): Promise<Error> {
  const { status, headers } = response;
  const said = await explanation(response);
  const message = `${shown(url)}: answered ${status}${said === "" ? "" : `, ${said}`}`;
  const error = (code: ErrorCode, hint: string): GptOssError => new GptOssError(code, { message, hint });
  switch (status) {
    case 401:
      return error(
        "checkpoint/hub-unauthorized",
        isAuthorized
          ? "check the token in HF_TOKEN (or of `hf auth login`), and the name of the model"
          : "no such model, or a private one; for a private one set HF_TOKEN to a token that may read it",
      );
    case 403:
      // Links of a content network run out; the next try asks the hub for a new one.
      if (url.search !== "" && /expire|signature/i.test(`${said}${url.search}`))
        return new Transient(error("checkpoint/hub-forbidden", "pull again"));
      return error(
        "checkpoint/hub-forbidden",
        "accept the model's conditions on its page, then set HF_TOKEN to a token of that account",
      );
    case 404:
      return error("checkpoint/hub-not-found", "check the model's name and revision");
    case 429:
      return new Transient(
        error("checkpoint/hub-busy", "too many requests: wait, or set HF_TOKEN, then pull again"),
        retryAfterMs(headers),
      );
    case 408:
    case 425:
      return new Transient(unreachable(message));
    default:
      if (status >= 500) return new Transient(unreachable(message), retryAfterMs(headers));
      return badAnswer(message);
  }
}

/** What the hub says in words, short and safe to print. */
async function explanation(response: Response): Promise<string> {
  const header = response.headers.get("x-error-message");
  try {
    const body = header ?? (await response.text()).slice(0, 2000);
    const parsed: unknown = header === null && body.startsWith("{") ? JSON.parse(body) : undefined;
    const said = (parsed as { error?: unknown } | undefined)?.error ?? header;
    return typeof said === "string" ? quote(said) : "";
  } catch {
    return ""; // an explanation that cannot be read explains nothing
  }
}

/** Seconds or a date; https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}
