// Requests and tokens per minute, for each key (or for all clients of a server without keys). A bucket fills evenly, so
// that nobody waits for the next full minute. What a request will use is not known before it ran: tokens are paid
// afterwards, and a bucket that is in debt lets nobody in.

import { HttpError } from "./errors.ts";

export interface RateLimit {
  readonly requestsPerMinute?: number;
  /** Prompt and output tokens together. */
  readonly tokensPerMinute?: number;
}

export interface RateLimits {
  /** Counts a request. Throws 429 `rate_limit_exceeded` with `retry-after`. */
  request(key: string | undefined): void;
  spend(key: string | undefined, tokens: number): void;
  /** `x-ratelimit-…`, as OpenAI sends them. */
  headers(key: string | undefined): Record<string, string>;
}

interface Bucket {
  readonly perMinute: number;
  level: number;
  at: number;
}

type Kind = "requests" | "tokens";
const kinds: readonly Kind[] = ["requests", "tokens"];

/** All that may be on an answer: pages of other origins see what is named to them. */
export const rateLimitHeaders = ["requests", "tokens"].flatMap((kind) =>
  ["limit", "remaining", "reset"].map((part) => `x-ratelimit-${part}-${kind}`),
);

/** `limitOf` gives what holds for a key. Names of keys are few, so their buckets are kept. */
export function createRateLimits(
  limitOf: (key: string | undefined) => RateLimit,
  now: () => number,
): RateLimits {
  const buckets = new Map<string, Bucket>();

  function bucket(key: string | undefined, kind: Kind): Bucket | undefined {
    const { requestsPerMinute, tokensPerMinute } = limitOf(key);
    const perMinute = kind === "requests" ? requestsPerMinute : tokensPerMinute;
    if (perMinute === undefined) return undefined;
    const id = `${kind} ${key ?? ""}`;
    const found = buckets.get(id) ?? { perMinute, level: perMinute, at: now() };
    buckets.set(id, found);
    const time = now();
    found.level = Math.min(perMinute, found.level + ((time - found.at) / 60_000) * perMinute);
    found.at = time;
    return found;
  }

  return {
    request(key) {
      for (const kind of kinds) {
        const { level, perMinute } = bucket(key, kind) ?? { level: 1, perMinute: 1 };
        if (level >= 1) continue;
        throw exceeded(kind, perMinute, secondsUntilOne(level, perMinute));
      }
      const requests = bucket(key, "requests");
      if (requests) requests.level--;
    },
    spend(key, tokens) {
      const found = bucket(key, "tokens");
      if (found) found.level -= tokens;
    },
    headers: (key) =>
      Object.fromEntries(
        kinds.flatMap((kind) => {
          const found = bucket(key, kind);
          if (!found) return [];
          const full = ((found.perMinute - found.level) / found.perMinute) * 60;
          return [
            [`x-ratelimit-limit-${kind}`, String(found.perMinute)],
            [`x-ratelimit-remaining-${kind}`, String(Math.max(0, Math.floor(found.level)))],
            [`x-ratelimit-reset-${kind}`, `${Math.ceil(full)}s`],
          ];
        }),
      ),
  };
}

const secondsUntilOne = (level: number, perMinute: number): number =>
  Math.max(1, Math.ceil(((1 - level) / perMinute) * 60));

function exceeded(kind: Kind, perMinute: number, seconds: number): HttpError {
  return new HttpError(429, {
    code: "rate_limit_exceeded",
    message: `Rate limit of ${perMinute} ${kind} per minute reached. Please try again in ${seconds}s.`,
    headers: { "retry-after": String(seconds) },
  });
}
